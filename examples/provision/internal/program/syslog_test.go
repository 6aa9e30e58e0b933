//go:build !windows && !plan9

package program_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A run tells the system's log when it begins, applies and ends.
func TestSyslog(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	socket := filepath.Join(t.TempDir(), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if exit, _, errs := s.run(t, s.District.Today(), "-apply", "-syslog", socket); exit != 0 {
		t.Fatal(errs)
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	// It reads once to see whether there is anything to do, and once under the lease.
	for _, want := range []string{"reading the export", "reading the export", "msg=applying plan=", "msg=applied plan=",
		`msg="run ended" status=0`} {
		n, err := conn.Read(b)
		if err != nil || !strings.Contains(string(b[:n]), want) {
			t.Fatalf("%q, %v: want %q", b[:n], err, want)
		}
	}
	if exit, _, errs := s.run(t, s.District.Today(), "-apply", "-syslog", socket+"x"); exit != 2 || errs == "" {
		t.Errorf("nobody listens: %d %s", exit, errs)
	}
}
