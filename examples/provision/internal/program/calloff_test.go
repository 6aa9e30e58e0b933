package program_test

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// What UCS@school's importer has marked for deletion is on hold and told, until
// somebody calls it off.
func TestCallOff(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	if status, _, errs := s.run(t, day, "-apply"); status != 0 {
		t.Fatal(status, errs)
	}
	accounts, _ := s.look(t)
	a := accounts[0]
	conn, err := ldap.DialURL(s.LDAP.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(s.LDAP.BindDN, s.LDAP.Password.Reveal()); err != nil {
		t.Fatal(err)
	}
	req := ldap.NewModifyRequest(a.DN, nil)
	req.Replace("ucsschoolPurgeTimestamp", []string{"20270122000000Z"})
	if err := conn.Modify(req); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := s.run(t, day); status != 3 || !strings.Contains(out, "directory-stamped") {
		t.Errorf("marked: status %d\n%s", status, out)
	}
	for _, want := range []string{"is called off", "nothing to call off"} {
		if status, out, errs := s.run(t, day, "-call-off", a.Username); status != 0 || !strings.Contains(out, want) {
			t.Errorf("status %d, want %q: %s%s", status, want, out, errs)
		}
	}
	if status, _, errs := s.run(t, day, "-call-off", "nobody"); status != 1 || !strings.Contains(errs, "call off") {
		t.Errorf("nobody: status %d: %s", status, errs)
	}
	if status, out, _ := s.run(t, day); status != 0 || strings.Contains(out, "stamped") {
		t.Errorf("called off: status %d\n%s", status, out)
	}
}
