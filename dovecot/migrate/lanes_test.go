package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// manyFolders gives user a of a simulated server 40 folders beside INBOX, nested ones among them.
func manyFolders(t *testing.T) (addr string) {
	t.Helper()
	s := filled(t, 3)
	c := client(t, s.IMAPAddr, "a")
	for i := range 40 {
		name := fmt.Sprintf("Klasse %02d", i)
		if i%4 == 3 {
			name = fmt.Sprintf("Klasse %02d/Noten", i-1)
		}
		do(t, c, "CREATE %q", name)
		for k := range 3 {
			put(t, c, name, `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(100*i+k, ""))
		}
	}
	return s.IMAPAddr
}

// counted counts the connections that are made, and fails those after the allowed ones.
func counted(s migrate.Server, n *atomic.Int32, allowed int32) migrate.Server {
	s.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if n.Add(1) > allowed {
			return nil, errors.New("no more connections")
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	return s
}

// An account of many folders gets further connections, where the servers have
// them to spare, and with fewer everything arrives all the same.
func TestConnectionsOfManyFolders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		connections int // that the site allows
		allowed     int32
		want        int32 // made to the source
	}{
		{"to spare", 8, 100, 4},
		{"one allowed by the site", 1, 100, 1},
		{"three allowed by the site", 3, 100, 3},
		{"the server takes one only", 8, 1, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := manyFolders(t)
			var dialled atomic.Int32
			from := counted(insecure(addr), &dialled, tt.allowed)
			from.Connections = tt.connections
			m := migrate.New(from, insecure(addr), t.TempDir(), quick())
			res := sync(t, m, toB())
			if res.Copied != 123 || res.Failed != 0 || res.Retries != 0 {
				t.Errorf("%+v", res)
			}
			if got := dialled.Load(); got != tt.want {
				t.Errorf("%d connections to the source, want %d", got, tt.want)
			}
			if d := cmp.Diff(read(t, addr, "a").filled(), read(t, addr, "b").filled()); d != "" {
				t.Errorf("(-source +target)\n%s", d)
			}
			plan, err := migrateTo(addr, addr, t.TempDir()).Plan(t.Context(), toB())
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, mp := range plan.Mappings {
				if mp.Messages > 0 {
					want = append(want, mp.Source)
				}
			}
			for _, f := range res.Folders {
				got = append(got, f.Source)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("the report's folders are not in the plan's order (-want +got)\n%s", d)
			}
		})
	}
}

// A connection of several that ends in the middle costs an attempt and no message.
func TestOneOfSeveralConnectionsEnds(t *testing.T) {
	t.Parallel()
	addr := manyFolders(t)
	var cut atomic.Bool
	p := &proxy{Down: func(l string) (string, bool) {
		return l, !strings.HasPrefix(l, "Subject: message 2301") || !cut.CompareAndSwap(false, true)
	}}
	m := migrate.New(insecure(p.start(t, addr)), insecure(addr), t.TempDir(), quick())
	res := sync(t, m, toB())
	if res.Copied+res.Adopted != 123 || res.Retries != 1 {
		t.Errorf("%+v", res)
	}
	if d := cmp.Diff(read(t, addr, "a").filled(), read(t, addr, "b").filled()); d != "" {
		t.Errorf("(-source +target)\n%s", d)
	}
}
