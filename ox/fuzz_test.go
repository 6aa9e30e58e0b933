package ox

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
)

func FuzzParseAccess(f *testing.F) {
	for _, s := range []string{"", "none", "webmail", "webmail,contacts", "groupware_standard", "webmail, ,", "OLOX20,,"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAccess(s)
		if err != nil {
			return
		}
		if back, err := ParseAccess(a.String()); err != nil || back != a {
			t.Errorf("%q is %v, which reads back as %v, %v", s, a, back, err)
		}
	})
}

// FuzzFaultText: whatever a server says, it is classified without falling over,
// and the caller's secrets stay out of it.
func FuzzFaultText(f *testing.F) {
	f.Add("NoSuchUserException", "No such user mia in context 7", "Server")
	f.Add("", exceptionPackage+"NoSuchObjectException: "+exceptionPackage+"NoSuchUserException: No such user x in "+
		"context 1", "Server")
	f.Add("DatabaseUpdateException", `Schema "`, "Server")
	f.Add("StorageException", "User update conflict: hunter2", "Client")
	f.Fuzz(func(t *testing.T, kind, text, code string) {
		k := call{name: "x", login: "mia", looksUpLogin: true, secrets: []schoolmail.Secret{"hunter2"}}
		e := k.classify(t.Context(), &soap.Fault{Kind: kind, Message: text, Code: code, Status: 500})
		if e.Kind == "" {
			t.Errorf("%q, %q, %q has no kind", kind, text, code)
		}
		if strings.Contains(e.Error(), "hunter2") {
			t.Errorf("a secret shows: %v", e)
		}
		lockedSchema(text)
	})
}
