package migrate_test

import (
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

const password = "pw"

// box is what an independent reader, go-imap's client, sees of an account:
// per folder one line for each message, sorted.
type box map[string][]string

// read looks at a whole account. With dates false, dates are left out.
func read(tb testing.TB, addr, user string) box {
	tb.Helper()
	out := box{}
	cyrusd.Look(tb, addr, user, password, func(folder string, _ *imap.SelectData, list []cyrusd.Seen) {
		out[folder] = nil
		for _, m := range list {
			out[folder] = append(out[folder],
				fmt.Sprintf("%s %d %s %s", m.Digest, m.Length, m.Date, strings.Join(m.Flags, ",")))
		}
		slices.Sort(out[folder])
	})
	return out
}

// lineOf is how a line of a box begins for a message.
func lineOf(message string) string {
	h := sha256.Sum256([]byte(message))
	return fmt.Sprintf("%x %d", h[:6], len(message))
}

// renamed moves folders of a snapshot, as the folder plan would, merging.
func (b box) renamed(names map[string]string) box {
	out := box{}
	for k, v := range b {
		if to, ok := names[k]; ok {
			k = to
		}
		out[k] = append(out[k], v...)
		slices.Sort(out[k])
	}
	return out
}

// without leaves out folders in which there is nothing.
func (b box) filled() box {
	out := box{}
	for k, v := range b {
		if len(v) > 0 {
			out[k] = v
		}
	}
	return out
}

// client logs in for changes by the test itself.
func client(tb testing.TB, addr, user string) *cyrusd.Conn {
	tb.Helper()
	return cyrusd.Login(tb, addr, user, password)
}

var (
	do  = cyrusd.Do
	put = cyrusd.Put
)

func mail(n int, more string) string {
	return fmt.Sprintf("From: a@school.test\r\nTo: b@school.test\r\nSubject: message %d\r\n"+
		"Message-ID: <%d@school.test>\r\nDate: Mon, 2 Mar 2020 10:00:00 +0100\r\n\r\nText of %d\r\n%s", n, n, n, more)
}

func dovecot(tb testing.TB, cfg dovecotd.Config, users ...string) *dovecotd.Server {
	return dovecotd.Start(tb, cfg.With(password, users...))
}

func cyrus(tb testing.TB, old bool, users ...string) *cyrusd.Server {
	return cyrusd.Start(tb, cyrusd.Config{OldNames: old}.With(password, users...))
}

func insecure(addr string) migrate.Server {
	return migrate.Server{Addr: addr, Security: migrate.Insecure, Timeout: time.Minute}
}

func account(user string) migrate.Account {
	l := migrate.Login{User: user, Password: schoolmail.Secret(password)}
	return migrate.Account{Name: user, Source: l, Target: l}
}

func sync(tb testing.TB, m *migrate.Migrator, a migrate.Account) *migrate.Result {
	tb.Helper()
	res, err := m.Sync(tb.Context(), a)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// pipeClient talks to a simulated server.
func pipeClient(tb testing.TB, s *dovecottest.Server, user string) *cyrusd.Conn {
	tb.Helper()
	nc, srv := net.Pipe()
	go s.ServeIMAP(srv)
	c, err := cyrusd.NewConn(nc)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	do(tb, c, "LOGIN %s %s", user, password)
	return c
}
