//go:build !windows && !plan9

package eventlog_test

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/eventlog"
)

// What is written has the level and the counts, ids of steps, and nobody's name.
func TestSyslog(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h, closer, err := eventlog.Syslog(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	log := eventlog.New(h.WithAttrs([]slog.Attr{slog.String("site", "district")}))
	failed := schoolmail.Outcome{Step: "change:escada/4711", Kind: schoolmail.KindChange, Subject: "ida.abel",
		Status: schoolmail.StatusFailed, Error: "ida.abel: refused"}
	act := &site.Act{Plan: &schoolmail.Plan{Header: schoolmail.Header{ID: "abc"}},
		Result: &schoolmail.Result{Outcomes: []schoolmail.Outcome{failed}}}
	for _, c := range []struct {
		tell     func()
		priority string // LOG_DAEMON is 24
		says     string
	}{
		{func() { log.Observe(site.Event{Stage: site.Reading}) }, "<30>",
			`msg="reading the export and the servers" site=district`},
		{func() { log.Observe(site.Event{Stage: site.Delayed, Notice: "OX waits"}) }, "<28>", `msg="OX waits"`},
		{func() { log.Observe(site.Event{Stage: site.Stepped, Step: schoolmail.Event{Outcome: failed}}) }, "<27>",
			"step=change:escada/4711 kind=change"},
		{func() { log.Observe(site.Event{Stage: site.Applied, Act: act}) }, "<27>", "plan=abc done=0 failed=1 skipped=0"},
		{func() { log.Ended(3) }, "<28>", `msg="run ended" site=district status=3`},
	} {
		c.tell()
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		line := string(b[:n])
		if !strings.HasPrefix(line, c.priority) || !strings.Contains(line, c.says) || !strings.Contains(line, "schoolmail[") {
			t.Errorf("%q: want %s and %q", line, c.priority, c.says)
		}
		if strings.Contains(line, "ida") {
			t.Errorf("%q names somebody", line)
		}
	}
	if _, _, err := eventlog.Syslog(filepath.Join(t.TempDir(), "nobody")); err == nil {
		t.Error("nobody listens, and there is no error")
	}
}
