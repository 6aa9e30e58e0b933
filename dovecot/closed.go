package dovecot

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Closed is what becomes of mail to a mailbox that is closed, for a stated time: it is
// answered, and kept; or, with ForwardTo, passed on there, and not kept.
type Closed struct {
	Until     schoolmail.Date // from this day on nothing is done any more, by the server's clock
	Addresses []string        // of the mailbox: mail to others is not answered
	Subject   string
	Text      string
	ForwardTo string
}

// closedScript is the name of our script among the user's, closedMark how it begins. What
// follows the mark is the name, quoted, of the script that was active before, or "".
const (
	closedScript = "schoolmail-closed"
	closedMark   = "# schoolmail: the mailbox is closed; active before: "
)

// Script is the Sieve script that does it, with the extensions vacation, date and
// relational. Automatic answers are what RFC 5230 makes of them: one to a sender in seven
// days, none to lists and to what was written by a program. It ends by itself.
func (k Closed) Script(before string) (string, error) {
	if k.Until.IsZero() {
		return "", errors.New("no day on which it ends")
	}
	var act string
	need := `["date", "relational"]`
	switch {
	case k.ForwardTo != "":
		if a, err := mail.ParseAddress(k.ForwardTo); err != nil || a.Address != k.ForwardTo {
			return "", errors.New("the address to forward to is none")
		}
		act = "redirect " + quoteSieve(k.ForwardTo)
	case strings.TrimSpace(k.Text) == "" || len(k.Addresses) == 0:
		return "", errors.New("no text to answer with, or no address to answer for")
	default:
		need = `["date", "relational", "vacation"]`
		quoted := make([]string, len(k.Addresses))
		for i, a := range k.Addresses {
			quoted[i] = quoteSieve(a)
		}
		act = fmt.Sprintf("vacation :days 7 :addresses [%s] :subject %s %s", strings.Join(quoted, ", "),
			quoteSieve(k.Subject), quoteSieve(k.Text))
	}
	return fmt.Sprintf("%s%s\nrequire %s;\nif currentdate :value \"lt\" \"date\" \"%s\" {\n  %s;\n}\n", closedMark,
		strconv.Quote(before), need, k.Until, act), nil
}

// activeBefore reads in a script of ours which one was active before.
func activeBefore(script string) (string, bool) {
	line, _, _ := strings.Cut(script, "\n")
	quoted, ours := strings.CutPrefix(strings.TrimSuffix(line, "\r"), closedMark)
	before, err := strconv.Unquote(quoted)
	return before, ours && err == nil
}

// CloseMailbox makes the server do with an account's mail what k says, by a Sieve script of
// our own name ("schoolmail-closed"), and remembers in it which script was active before.
// The second time it writes nothing. [ErrUnsupported]: the server has no Sieve.
// [ErrNoUser]: it does not know the account, and delivers nothing to it either.
func (m *Mailstore) CloseMailbox(ctx context.Context, a schoolmail.Account, k Closed) error {
	login := m.login(a)
	if _, err := k.Script(""); err != nil {
		return refuse("sievePut", login, closedScript, "%w", err)
	}
	own, active, err := m.ownScript(ctx, login)
	if err != nil {
		return err
	}
	before, err := m.remembered(login, own)
	if err != nil {
		return err
	}
	if active != closedScript && active != "" {
		before = active
	}
	text, err := k.Script(before)
	if err != nil {
		return refuse("sievePut", login, closedScript, "%w", err)
	}
	if active == closedScript && lines(own) == text {
		return nil
	}
	return m.c.PutSieve(ctx, login, closedScript, text, true)
}

// OpenMailbox takes back what CloseMailbox has done: our script goes, and the one that was
// active before is it again, unless another one is by now. Nothing of ours, no account, or no
// Sieve is success.
func (m *Mailstore) OpenMailbox(ctx context.Context, a schoolmail.Account) error {
	login := m.login(a)
	own, active, err := m.ownScript(ctx, login)
	if isKind(err, ErrNoUser) || isKind(err, ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	before, ours := activeBefore(own)
	if !ours {
		return nil
	}
	if active == closedScript && before != "" {
		if err := m.c.ActivateSieve(ctx, login, before); err != nil && !isKind(err, ErrNotFound) {
			return err
		}
	}
	if err := m.c.DeleteSieve(ctx, login, closedScript); err != nil && !isKind(err, ErrNotFound) {
		return err
	}
	return nil
}

// ownScript returns the text of our script, "" if there is none, and the name of the active
// one.
func (m *Mailstore) ownScript(ctx context.Context, login string) (own, active string, err error) {
	info, err := m.c.Server(ctx)
	if err != nil {
		return "", "", err
	}
	if !info.Sieve {
		return "", "", &Error{Op: "sieveList", User: login, Host: m.c.hosts[0].name, Kind: ErrUnsupported,
			Err: errors.New("the server has no Sieve (Pigeonhole)")}
	}
	list, err := m.c.SieveScripts(ctx, login)
	if err != nil {
		return "", "", err
	}
	if i := slices.IndexFunc(list, func(s SieveScript) bool { return s.Active }); i >= 0 {
		active = list[i].Name
	}
	if slices.ContainsFunc(list, func(s SieveScript) bool { return s.Name == closedScript }) {
		own, err = m.c.SieveScript(ctx, login, closedScript)
	}
	return own, active, err
}

// remembered returns which script was active before ours. One of our name that we have not
// written is somebody's.
func (m *Mailstore) remembered(login, own string) (string, error) {
	if own == "" {
		return "", nil
	}
	before, ours := activeBefore(own)
	if !ours {
		return "", &Error{Op: "sievePut", User: login, Subject: closedScript, Host: m.c.hosts[0].name, Kind: ErrExists,
			Err: errors.New("a script of our name was written by somebody else")}
	}
	return before, nil
}

func lines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
