package standin

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// FCM is Google's push service on loopback: the HTTP v1 API and the OAuth token endpoint in front of it.
// Devices, planned failures and accepted pushes: see the embedded methods; FailNext takes the FCM error code as its reason.
type FCM struct {
	pushService
	server   *http.Server
	address  string
	accounts map[string]serviceAccount // by e-mail; guarded by mu
	bearers  map[string]bearer         // by access token; guarded by mu
	exchange int                       // assertions exchanged; guarded by mu
}

// bearer is an access token that was handed out.
type bearer struct {
	project string
	expires time.Time
}

// StartFCM starts the service on a free port. now is its clock.
func StartFCM(now func() time.Time) (*FCM, error) {
	f := &FCM{
		pushService: pushService{now: now},
		accounts:    make(map[string]serviceAccount), bearers: make(map[string]bearer),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc("POST /v1/projects/{project}/{method}", f.send)
	f.server = &http.Server{Handler: mux}
	address, err := serve(f.server, nil)
	if err != nil {
		return nil, fmt.Errorf("start fcm: %w", err)
	}
	f.address = address
	return f, nil
}

// URL is the base URL of the service, without a path.
func (f *FCM) URL() string { return "http://" + f.address }

// Endpoint is what takes the place of https://fcm.googleapis.com/v1.
func (f *FCM) Endpoint() string { return f.URL() + "/v1" }

// Close stops the service and closes the channels of Subscribe.
func (f *FCM) Close() error {
	defer f.stop()
	if err := f.server.Close(); err != nil {
		return fmt.Errorf("close fcm: %w", err)
	}
	return nil
}

// fcmCode is an FCM error code with its HTTP status, canonical status and usual text.
type fcmCode struct {
	http    int
	status  string
	message string
}

// fcmCodes are the error codes of the HTTP v1 API.
func fcmCodes() map[string]fcmCode {
	return map[string]fcmCode{
		"UNREGISTERED":           {http.StatusNotFound, "NOT_FOUND", "Requested entity was not found."},
		"INVALID_ARGUMENT":       {http.StatusBadRequest, "INVALID_ARGUMENT", "Request contains an invalid argument."},
		"SENDER_ID_MISMATCH":     {http.StatusForbidden, "PERMISSION_DENIED", "SenderId mismatch"},
		"QUOTA_EXCEEDED":         {http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."},
		"UNAVAILABLE":            {http.StatusServiceUnavailable, "UNAVAILABLE", "The service is currently unavailable."},
		"INTERNAL":               {http.StatusInternalServerError, "INTERNAL", "Internal error encountered."},
		"THIRD_PARTY_AUTH_ERROR": {http.StatusUnauthorized, "UNAUTHENTICATED", "Request is missing required authentication credential."},
		"UNSPECIFIED_ERROR":      {http.StatusInternalServerError, "UNKNOWN", "Unknown error."},
	}
}

// fcmRefusal is an error answer of the API.
type fcmRefusal struct {
	http    int
	status  string
	message string
	code    string // FCM error code; empty: refused before FCM saw the message
	field   string // violated field of an INVALID_ARGUMENT
}

// fcmRefuse builds the refusal of an FCM error code. An empty message means the usual one.
func fcmRefuse(code, message, field string) *fcmRefusal {
	known, ok := fcmCodes()[code]
	if !ok {
		known = fcmCodes()["UNSPECIFIED_ERROR"]
	}
	if message == "" {
		message = known.message
	}
	return &fcmRefusal{http: known.http, status: known.status, message: message, code: code, field: field}
}

// write sends the error in Google's form.
func (e *fcmRefusal) write(w http.ResponseWriter) {
	details := []any{}
	if e.code != "" {
		details = append(details, map[string]any{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": e.code})
	}
	if e.field != "" {
		details = append(details, map[string]any{
			"@type":           "type.googleapis.com/google.rpc.BadRequest",
			"fieldViolations": []any{map[string]any{"field": e.field, "description": e.message}},
		})
	}
	body := map[string]any{"code": e.http, "message": e.message, "status": e.status}
	if len(details) > 0 {
		body["details"] = details
	}
	writeJSON(w, e.http, map[string]any{"error": body})
}

// send answers POST /v1/projects/{project}/messages:send.
func (f *FCM) send(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("method") != "messages:send" {
		http.NotFound(w, r)
		return
	}
	if failed, planned := f.planned(r.Context()); planned {
		refusal := fcmRefuse(failed.reason, "", "")
		refusal.http = failed.status
		refusal.write(w)
		return
	}
	project := r.PathValue("project")
	if refusal := f.authorize(r, project); refusal != nil {
		refusal.write(w)
		return
	}
	request, refusal := readFCM(r.Body)
	if refusal != nil {
		refusal.write(w)
		return
	}
	d, known := f.lookup(request.Message.Token)
	switch {
	case !known:
		refusal = fcmRefuse("INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", "message.token")
	case !d.gone.IsZero():
		refusal = fcmRefuse("UNREGISTERED", "", "")
	case d.topic != project:
		refusal = fcmRefuse("SENDER_ID_MISMATCH", "", "")
	}
	if refusal != nil {
		refusal.write(w)
		return
	}
	name := "projects/" + project + "/messages/fake_message_id"
	if !request.ValidateOnly {
		name = "projects/" + project + "/messages/0:" + fmt.Sprint(f.now().UnixMicro()) + "%" + strings.ToLower(randomHex(8))
		f.accept(request.push(name, project, f.now()))
	}
	writeJSON(w, http.StatusOK, map[string]any{"name": name})
}

// authorize checks the access token and that it may send for the project.
func (f *FCM) authorize(r *http.Request, project string) *fcmRefusal {
	text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.mu.Lock()
	granted, known := f.bearers[text]
	f.mu.Unlock()
	if !known || !f.now().Before(granted.expires) {
		return &fcmRefusal{
			http: http.StatusUnauthorized, status: "UNAUTHENTICATED",
			message: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
		}
	}
	if granted.project != project {
		return &fcmRefusal{
			http: http.StatusForbidden, status: "PERMISSION_DENIED",
			message: "Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/" + project + "' (or it may not exist).",
		}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}

// randomHex returns n random bytes in hex.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
