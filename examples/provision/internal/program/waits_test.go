package program_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// With read_users = "auto" a context that HTTP cannot read is read by SOAP, with a
// line that says why; the plan is the same.
func TestContextThatHTTPCannotRead(t *testing.T) {
	t.Parallel()
	s := start(t, 120)
	if status, out, errs := s.run(t, s.District.Today(), "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	b, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), `# read_users = "soap"`, `read_users = "auto"`, 1)
	if text == string(b) {
		t.Fatal("the configuration has no read_users")
	}
	if err := os.WriteFile(s.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	const line = "context 31 is read by SOAP, because by HTTP it cannot be"
	for _, refused := range []bool{false, true} {
		if refused {
			defer s.OX.Inject(oxtest.Fault{Service: "http", Context: 31, Failure: oxtest.Failure{Status: 403}})()
		}
		status, out, errs := s.run(t, s.District.Today())
		if status != 0 || !strings.Contains(out, "Nothing to do") || strings.Contains(out+errs, line) != refused ||
			strings.Contains(out+errs, "context 21 is read by SOAP") {
			t.Errorf("refused %v: status %d\n%s%s", refused, status, out, errs)
		}
	}
}

// A server that starts again in the middle of the night is waited for: a line says
// since when and until when at most, another that it goes on, and no step is lost.
func TestRestartInTheNight(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	if status, out, errs := s.run(t, s.District.Today()); status != 0 { // the servers are there
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	s.OX.Restart(9 * time.Second)
	status, out, errs := s.run(t, s.District.Today(), "-apply")
	if status != 0 || !strings.Contains(out+errs, "ox: waiting: server does not answer") ||
		!strings.Contains(out+errs, "ox: going on after") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := s.run(t, s.District.Today()); status != 0 || !strings.Contains(out, "Nothing to do") {
		t.Errorf("at last: status %d\n%s%s", status, out, errs)
	}
}
