package dovecot_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// needsSieve skips a test where the server has no Pigeonhole.
func needsSieve(t *testing.T, c *dovecot.Client) {
	t.Helper()
	if !get[*dovecot.ServerInfo](t)(c.Server(t.Context())).Sieve {
		lacking.Skip(t, "Pigeonhole (Debian package dovecot-sieve)")
	}
}

// sieveSites are a simulator and a real server with users.
func sieveSites(t *testing.T, names ...string) map[string]func(*testing.T) *dovecot.Client {
	return map[string]func(*testing.T) *dovecot.Client{
		"simulator": func(t *testing.T) *dovecot.Client {
			s := testlife.Of(dovecottest.Start(dovecottest.WithSieve()))(t)
			for _, n := range names {
				s.SetUsers(dovecottest.User{Name: n})
			}
			return newClient(t, s.URL, &dovecot.Options{APIKey: schoolmail.Secret(s.APIKey)})
		},
		"real": func(t *testing.T) *dovecot.Client {
			cfg := &dovecotd.Config{}
			s := dovecotd.Start(t, cfg.With("pw", names...))
			c := newClient(t, s.URL, &dovecot.Options{APIKey: schoolmail.Secret(s.APIKey)})
			needsSieve(t, c)
			return c
		},
	}
}

// Scripts are stored, read, made active and removed, and what is wrong is told alike by the
// simulator and the real server.
func TestSieveScripts(t *testing.T) {
	t.Parallel()
	const user = "sieve@s.test"
	for name, start := range sieveSites(t, user) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ctx := start(t), t.Context()
			list := func(want ...dovecot.SieveScript) {
				t.Helper()
				got := get[[]dovecot.SieveScript](t)(c.SieveScripts(ctx, user))
				wantSame(t, "scripts", got, append([]dovecot.SieveScript{}, want...))
			}
			list()
			_, err := c.SieveScript(ctx, user, "a")
			wantKind(t, err, dovecot.ErrNotFound)
			const text = "# ä \"\nrequire [\"vacation\"];\r\nvacation :days 7 \"Grüezi \\\"du\\\"\n.\n\";\n"
			must(t, c.PutSieve(ctx, user, "a", text, false))
			wantSame(t, "script", get[string](t)(c.SieveScript(ctx, user, "a")), text)
			must(t, c.PutSieve(ctx, user, "b", "keep;\n", true))
			list(dovecot.SieveScript{Name: "a"}, dovecot.SieveScript{Name: "b", Active: true})
			must(t, c.PutSieve(ctx, user, "b", "stop;\n", false)) // stays active
			must(t, c.PutSieve(ctx, user, "empty", "", false))
			must(t, c.DeleteSieve(ctx, user, "empty"))
			list(dovecot.SieveScript{Name: "a"}, dovecot.SieveScript{Name: "b", Active: true})
			must(t, c.ActivateSieve(ctx, user, "a"))
			must(t, c.ActivateSieve(ctx, user, "a"))
			list(dovecot.SieveScript{Name: "a", Active: true}, dovecot.SieveScript{Name: "b"})
			must(t, c.DeleteSieve(ctx, user, "a"))
			list(dovecot.SieveScript{Name: "b"})
			must(t, c.DeactivateSieve(ctx, user))
			wantKind(t, c.DeleteSieve(ctx, user, "a"), dovecot.ErrNotFound)
			wantKind(t, c.ActivateSieve(ctx, user, "a"), dovecot.ErrNotFound)
			_, err = c.SieveScripts(ctx, "nobody@s.test")
			wantKind(t, err, dovecot.ErrNoUser)
			for _, bad := range []string{
				"keep\n", "if true {\nkeep;\n", "keep; }\n", "redirect \"a@b.test;\n", "vacation \"x\";\n",
				"require \"nonsense\";\n", "require \"date\";\nif currentdate :value \"lt\" \"date\" \"2027-01-01\" { keep; }\n",
				"require [\"date\", \"relational\";\n", "if true { keep }\n",
			} {
				if err := c.PutSieve(ctx, user, "b", bad, true); !errors.Is(err, dovecot.ErrNotPossible) {
					t.Errorf("put %q: %v, want %v", bad, err, dovecot.ErrNotPossible)
				}
			}
			wantSame(t, "script after wrong ones", get[string](t)(c.SieveScript(ctx, user, "b")), "stop;\n")
			for _, odd := range []string{"", "a/b", "a\nb", strings.Repeat("x", 256)} {
				wantKind(t, c.PutSieve(ctx, user, odd, "keep;\n", false), dovecot.ErrInvalid)
				_, err := c.SieveScript(ctx, user, odd)
				wantKind(t, err, dovecot.ErrInvalid)
			}
			list(dovecot.SieveScript{Name: "b"})
		})
	}
}

// A closed mailbox gets our script once, the person's own one comes back with the person,
// and wherever it was cut off it ends the same when it is done again.
func TestClosedMailbox(t *testing.T) {
	t.Parallel()
	const user = "closed@s.test"
	for name, start := range sieveSites(t, user, "own@s.test", "other@s.test") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ctx := start(t), t.Context()
			writes := c.Stats
			m := dovecot.NewMailstore(c, nil, dovecot.Desired{})
			answer := dovecot.Closed{Until: schoolmail.NewDate(2099, 3, 1), Addresses: []string{user}, Subject: "Zu \"jetzt\"",
				Text: "Das Postfach\nist geschlossen.\n"}
			scripts := func(user string, want ...string) {
				t.Helper()
				var got []string
				for _, s := range get[[]dovecot.SieveScript](t)(c.SieveScripts(ctx, user)) {
					if s.Active {
						s.Name += "*"
					}
					got = append(got, s.Name)
				}
				wantSame(t, "scripts", fmt.Sprint(got), fmt.Sprint(want))
			}
			a := schoolmail.Account{Mail: user}
			must(t, m.OpenMailbox(ctx, a)) // nothing to take back
			must(t, m.CloseMailbox(ctx, a, answer))
			scripts(user, "schoolmail-closed*")
			before := writes().Requests
			must(t, m.CloseMailbox(ctx, a, answer))
			if n := writes().Requests - before; n != 2 { // list and get
				t.Errorf("the second time: %d requests, want 2", n)
			}
			must(t, m.OpenMailbox(ctx, a))
			scripts(user)

			own := schoolmail.Account{Mail: "own@s.test"}
			const odd = `Ferien "é" \ x`
			must(t, c.PutSieve(ctx, own.Mail, odd, "keep;\n", true))
			must(t, m.CloseMailbox(ctx, own, answer))
			scripts(own.Mail, odd, "schoolmail-closed*")
			later := answer
			later.Until = later.Until.AddDays(1)
			must(t, m.CloseMailbox(ctx, own, later)) // another day; what was before is remembered
			// Cut off after the script was stored, or deactivated by somebody.
			must(t, c.ActivateSieve(ctx, own.Mail, odd))
			must(t, m.CloseMailbox(ctx, own, later))
			must(t, c.DeactivateSieve(ctx, own.Mail))
			must(t, m.CloseMailbox(ctx, own, later))
			scripts(own.Mail, odd, "schoolmail-closed*")
			must(t, m.OpenMailbox(ctx, own))
			must(t, m.OpenMailbox(ctx, own))
			scripts(own.Mail, odd+"*")
			// Cut off before ours was removed; and what was active before is gone.
			must(t, m.CloseMailbox(ctx, own, later))
			must(t, c.ActivateSieve(ctx, own.Mail, odd))
			must(t, m.OpenMailbox(ctx, own))
			scripts(own.Mail, odd+"*")
			must(t, m.CloseMailbox(ctx, own, later))
			must(t, c.DeleteSieve(ctx, own.Mail, odd))
			must(t, m.OpenMailbox(ctx, own))
			scripts(own.Mail)

			other := schoolmail.Account{Mail: "other@s.test"}
			must(t, c.PutSieve(ctx, other.Mail, "schoolmail-closed", "keep;\n", false))
			wantKind(t, m.CloseMailbox(ctx, other, answer), dovecot.ErrExists)
			must(t, m.OpenMailbox(ctx, other))
			scripts(other.Mail, "schoolmail-closed")

			nobody := schoolmail.Account{Mail: "nobody@s.test"}
			wantKind(t, m.CloseMailbox(ctx, nobody, answer), dovecot.ErrNoUser)
			must(t, m.OpenMailbox(ctx, nobody))
			for _, k := range []dovecot.Closed{{}, {Until: answer.Until}, {Until: answer.Until, ForwardTo: "no address"},
				{Until: answer.Until, ForwardTo: "Anna <a@b.test>"}, {Until: answer.Until, Text: "x"}} {
				wantKind(t, m.CloseMailbox(ctx, a, k), dovecot.ErrInvalid)
			}
			scripts(user)
		})
	}
}

// Without Pigeonhole it is said before anything is written.
func TestClosedMailboxWithoutSieve(t *testing.T) {
	t.Parallel()
	s := testlife.Of(dovecottest.Start())(t)
	s.SetUsers(dovecottest.User{Name: "a@s.test"})
	m := dovecot.NewMailstore(newClient(t, s.URL, &dovecot.Options{APIKey: schoolmail.Secret(s.APIKey)}), nil,
		dovecot.Desired{})
	err := m.CloseMailbox(t.Context(), schoolmail.Account{Mail: "a@s.test"},
		dovecot.Closed{Until: schoolmail.NewDate(2099, 1, 1), ForwardTo: "x@home.test"})
	wantKind(t, err, dovecot.ErrUnsupported)
	must(t, m.OpenMailbox(t.Context(), schoolmail.Account{Mail: "a@s.test"}))
	if len(s.Calls()) != 0 {
		t.Errorf("called: %v", s.Calls())
	}
}

// The real server delivers to a closed mailbox: it answers or passes on until the day, and
// from then on only keeps.
func TestClosedMailboxAnswers(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/usr/lib/dovecot/dovecot-lda"); err != nil {
		lacking.Skip(t, "dovecot-lda (Debian package dovecot-core)")
	}
	out, err := os.MkdirTemp("", "sieve") // where the owner of the mail may write
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(out) })
	must(t, os.Chmod(out, 0o777))
	sendmail := filepath.Join(out, "sendmail")
	must(t, os.WriteFile(sendmail, fmt.Appendf(nil, "#!/bin/sh\n{ echo \"to: $*\"; cat; } >>%s/sent\n", out), 0o755))
	const user = "left@s.test"
	cfg := &dovecotd.Config{Extra: "sendmail_path = " + sendmail + "\npostmaster_address = postmaster@s.test\n" +
		"protocol lda {\n  mail_plugins = sieve\n}\n"}
	if _, err := os.Stat("/usr/lib/dovecot/modules/lib90_sieve_plugin.so"); err != nil {
		lacking.Skip(t, "Pigeonhole (Debian package dovecot-sieve)")
	}
	s := dovecotd.Start(t, cfg.With("pw", user))
	c := newClient(t, s.URL, &dovecot.Options{APIKey: schoolmail.Secret(s.APIKey)})
	m := dovecot.NewMailstore(c, nil, dovecot.Desired{})
	deliver := func(from, header string) (sent string) {
		t.Helper()
		os.Remove(filepath.Join(out, "sent"))
		cmd := exec.CommandContext(t.Context(), "/usr/lib/dovecot/dovecot-lda", "-c", s.ConfigFile(), "-d", user, "-f", from,
			"-a", user)
		cmd.Stdin = strings.NewReader("From: <" + from + ">\nTo: <" + user + ">\nSubject: Frage\nMessage-ID: <" + from +
			">\n" + header + "\nText\n")
		if msg, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("delivery: %v: %s", err, msg)
		}
		b, _ := os.ReadFile(filepath.Join(out, "sent"))
		return string(b)
	}
	kept := func() uint32 {
		t.Helper()
		return get[[]dovecot.MailboxStatus](t)(c.Status(t.Context(), user, "INBOX"))[0].Messages
	}
	a := schoolmail.Account{Mail: user}
	over, still := schoolmail.NewDate(2020, 1, 1), schoolmail.NewDate(2099, 1, 1)
	k := dovecot.Closed{Until: still, Addresses: []string{user}, Subject: "Geschlossen", Text: "Niemand liest \"dies\"."}
	must(t, m.CloseMailbox(t.Context(), a, k))
	sent := deliver("anna@home.test", "")
	if !strings.Contains(sent, "anna@home.test") || !strings.Contains(sent, `Niemand liest "dies".`) ||
		!strings.Contains(sent, "Auto-Submitted: auto-replied") || kept() != 1 {
		t.Errorf("before the day: sent %q, kept %d", sent, kept())
	}
	for _, header := range []string{"List-Id: <klasse.s.test>\n", "Auto-Submitted: auto-replied\n", "Precedence: bulk\n"} {
		if sent := deliver("list@home.test", header); sent != "" {
			t.Errorf("answered %q: %s", header, sent)
		}
	}
	if sent := deliver("anna@home.test", ""); sent != "" {
		t.Errorf("answered a second time: %s", sent)
	}
	k.Until = over
	must(t, m.CloseMailbox(t.Context(), a, k))
	if sent := deliver("bea@home.test", ""); sent != "" || kept() != 6 {
		t.Errorf("after the day: sent %q, kept %d", sent, kept())
	}
	k = dovecot.Closed{Until: still, ForwardTo: "private@home.test"}
	must(t, m.CloseMailbox(t.Context(), a, k))
	if sent := deliver("carl@home.test", ""); !strings.Contains(sent, "private@home.test") || kept() != 6 {
		t.Errorf("forwarding: sent %q, kept %d", sent, kept())
	}
	k.Until = over
	must(t, m.CloseMailbox(t.Context(), a, k))
	if sent := deliver("dora@home.test", ""); sent != "" || kept() != 7 {
		t.Errorf("forwarding after the day: sent %q, kept %d", sent, kept())
	}
	must(t, m.OpenMailbox(t.Context(), a))
	if sent := deliver("emil@home.test", ""); sent != "" || kept() != 8 {
		t.Errorf("back again: sent %q, kept %d", sent, kept())
	}
}
