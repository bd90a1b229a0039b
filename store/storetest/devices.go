package storetest

import (
	"context"
	"testing"

	"tokenserver/store"
)

func enrolledDevices(t *testing.T, s Enrollments) {
	_, err := s.EnrolledDevice(t.Context(), "enr-nobody")
	wantErr(t, err, store.ErrNotFound)
	none, err := s.EnrolledDevicesOfUser(t.Context(), "nobody")
	if must(t, err); len(none) != 0 {
		t.Errorf("devices of nobody: %+v", none)
	}
	var want []store.EnrolledDevice
	for _, name := range []string{"device-1", "device-2"} {
		e := enrolled(t, s, name, "u-devices")
		must(t, s.AddEnrollment(t.Context(), e))
		profile, err := s.Profile(t.Context(), e.ClientID, e.ProfileID)
		must(t, err)
		i, err := s.Installation(t.Context(), e.ClientID)
		must(t, err)
		want = append(want, store.EnrolledDevice{Enrollment: e, Profile: profile, Installation: i})
	}
	for _, w := range want {
		got, err := s.EnrolledDevice(t.Context(), w.ID)
		must(t, err)
		same(t, got, w)
	}
	got, err := s.EnrolledDevicesOfUser(t.Context(), "u-devices")
	must(t, err)
	same(t, got, want)
}

// lockAnswering: a removal waits for the transaction that has read under lock who may answer, and one that came first
// leaves nobody.
func lockAnswering(t *testing.T, s Enrollments) {
	e := enrolled(t, s, "answering", "u-answering")
	must(t, s.AddEnrollment(t.Context(), e))
	i, err := s.Installation(t.Context(), e.ClientID)
	must(t, err)
	removed := make(chan error, 1)
	remove := func() { removed <- s.DeleteProfile(t.Context(), e.ClientID, e.ProfileID) }
	must(t, s.InTx(t.Context(), func(ctx context.Context) error {
		got, err := s.LockAnswering(ctx, e.ID)
		if err != nil {
			return err
		}
		same(t, got, store.Answering{
			ClientID: e.ClientID, ProfileID: e.ProfileID, UserID: e.UserID,
			Application: i.Application, Platform: i.Platform, Version: i.Version,
		})
		go remove()
		for range 50 { // time enough for a removal that does not wait
			if _, err := s.EnrolledDevice(ctx, e.ID); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, <-removed)
	_, err = s.LockAnswering(t.Context(), e.ID)
	wantErr(t, err, store.ErrNotFound)
}
