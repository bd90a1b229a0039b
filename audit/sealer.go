package audit

import (
	"context"
	"encoding/hex"
	"log/slog"
	"time"
)

// leaseName is what the processes of a cluster compete for; see Sealer.
const leaseName = "audit-sealer"

// Sealer gives the committed events of the whole cluster their positions and hashes, and signs the state of the chain
// now and then. Every process runs one; the lease lets one work. Every field but Log is required.
type Sealer struct {
	Store      SealStore
	Sign       func(ctx context.Context, typ string, claims any) (string, error) // compact JWS
	Issuer     string
	Holder     string // of the lease: this process
	Now        func() time.Time
	Log        *slog.Logger
	Every      time.Duration // between two looks for committed events
	Checkpoint time.Duration // between two checkpoints, when there is something new

	renew time.Time // when the lease is to be taken again; Run alone uses it
}

// SealStore is what the sealer needs of the SQL store.
type SealStore interface {
	// TakeLease errors while another process has the lease.
	TakeLease(ctx context.Context, name, holder string, now, expires time.Time) error
	DropLease(ctx context.Context, name, holder string) error
	// Seal gives one batch of events positions and hashes; more tells that there may be another batch.
	Seal(ctx context.Context, now time.Time) (more bool, err error)
	SealedUpTo(ctx context.Context) (position int64, hash []byte, err error)
	AddCheckpoint(ctx context.Context, c Checkpoint) error
}

const (
	// leaseFactor is how many looks a lease outlives: a process that dies is replaced within that time.
	leaseFactor = 20
	// renewFactor is how many looks pass between two renewals.
	renewFactor = 5
)

// Run seals until the context ends; then it seals what is left, signs a last checkpoint and gives the lease back.
func (s *Sealer) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	var lastCheckpoint time.Time
	var signed int64
	s.renew = time.Time{}
	for {
		if s.round(ctx) && s.Now().Sub(lastCheckpoint) >= s.Checkpoint {
			signed, lastCheckpoint = s.checkpoint(ctx, signed), s.Now()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseFactor*s.Every)
			defer cancel()
			if s.round(last) {
				s.checkpoint(last, signed)
				if err := s.Store.DropLease(last, leaseName, s.Holder); err != nil {
					s.Log.WarnContext(last, "audit sealer's lease not given back", "error", err)
				}
			}
			return
		}
	}
}

// round seals everything there is, and tells whether this process has the lease.
func (s *Sealer) round(ctx context.Context) bool {
	for {
		now := s.Now()
		if !now.Before(s.renew) {
			if s.Store.TakeLease(ctx, leaseName, s.Holder, now, now.Add(leaseFactor*s.Every)) != nil {
				return false
			}
			s.renew = now.Add(renewFactor * s.Every)
		}
		more, err := s.Store.Seal(ctx, now)
		if err != nil {
			s.Log.ErrorContext(ctx, "audit events not sealed", "error", err)
			s.renew = time.Time{}
			return false
		}
		if !more {
			return true
		}
	}
}

// checkpointClaims is the payload of a checkpoint's JWS.
type checkpointClaims struct {
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Position int64  `json:"position"`
	Hash     string `json:"hash"`
}

// checkpoint signs the state of the chain when it has moved on, and returns the position that was signed last.
func (s *Sealer) checkpoint(ctx context.Context, signed int64) int64 {
	position, hash, err := s.Store.SealedUpTo(ctx)
	if err != nil || position <= signed {
		return signed
	}
	now := s.Now()
	jws, err := s.Sign(ctx, "audit-checkpoint+jwt", checkpointClaims{s.Issuer, now.Unix(), position, hex.EncodeToString(hash)})
	if err == nil {
		err = s.Store.AddCheckpoint(ctx, Checkpoint{Position: position, Hash: hash, Time: now, JWS: jws})
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "audit checkpoint not made", "error", err)
		return signed
	}
	return position
}
