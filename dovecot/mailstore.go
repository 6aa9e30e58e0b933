package dovecot

import (
	"context"
	"errors"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// Mailstore is the [schoolmail.Mailstore] of a Dovecot site.
type Mailstore struct {
	c     *Client
	login func(schoolmail.Account) string
	want  Desired
}

var _ schoolmail.Mailstore = (*Mailstore)(nil)

// NewMailstore returns a mail store in which login tells under which name
// Dovecot knows an account; nil means its mail address, as on UCS.
func NewMailstore(c *Client, login func(schoolmail.Account) string, want Desired) *Mailstore {
	if login == nil {
		login = func(a schoolmail.Account) string { return a.Mail }
	}
	return &Mailstore{c: c, login: login, want: want}
}

// EnsureMailbox makes sure that INBOX and the folders wanted exist. Most of the
// time two requests are enough: one makes the server forget what it may
// remember of the name, and the other looks at the folders, which creates INBOX
// and those that the server's configuration creates by itself. Only when one is
// missing then, or a quota is to be checked, it takes [Client.Ensure].
func (m *Mailstore) EnsureMailbox(ctx context.Context, a schoolmail.Account) error {
	login := m.login(a)
	if m.want.QuotaBytes == 0 {
		if err := m.c.forget(ctx, login); err != nil {
			return err
		}
		all := append([]string{"INBOX"}, m.want.Mailboxes...)
		found, err := m.c.Status(ctx, login, all...)
		if err == nil && len(found) == len(all) {
			return nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	_, err := m.c.Ensure(ctx, login, m.want)
	return err
}

// Contents returns the folders of an account's mailbox, as [Client.Status] does, and
// its quota. It creates nothing; [ErrNotFound] says that the server does not know the
// account.
func (m *Mailstore) Contents(ctx context.Context, a schoolmail.Account) ([]MailboxStatus, []Quota, error) {
	folders, err := m.c.Status(ctx, m.login(a))
	if err != nil {
		return nil, nil, err
	}
	quota, err := m.c.Quota(ctx, m.login(a))
	if errors.Is(err, ErrUnsupported) {
		err = nil // without the plugin there is none
	}
	return folders, quota, err
}

// Missing returns which of INBOX and the folders wanted an account lacks. It creates
// nothing; [ErrNotFound] says that the server does not know the account.
func (m *Mailstore) Missing(ctx context.Context, a schoolmail.Account) ([]string, error) {
	folders, err := m.c.Status(ctx, m.login(a))
	if err != nil {
		return nil, err
	}
	missing := append([]string{"INBOX"}, m.want.Mailboxes...)
	for _, f := range folders {
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == f.Mailbox })
	}
	return missing, nil
}

// Disconnect makes the server forget the account's cached password and ends
// its sessions.
func (m *Mailstore) Disconnect(ctx context.Context, a schoolmail.Account) error {
	if err := m.c.forget(ctx, m.login(a)); err != nil {
		return err
	}
	_, err := m.c.Kick(ctx, m.login(a))
	return err
}

// RemoveMailbox removes all mail, see [Client.RemoveMail], and, when
// Options.MailRoot is set, the home with what is left in it, see
// [Client.DeleteHome]. A user that Dovecot does not know has none: the account
// must be one that the userdb still finds, if only without a password.
func (m *Mailstore) RemoveMailbox(ctx context.Context, a schoolmail.Account) error {
	login := m.login(a)
	u, err := m.c.User(ctx, login)
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	if err != nil {
		return err
	}
	err = m.c.RemoveMail(ctx, login)
	if m.c.mailRoot == "" {
		return err
	}
	// What single mailboxes have against it, the home need not have.
	if err != nil && !isKind(err, ErrNotFound) && !isKind(err, ErrInvalid) && !isKind(err, ErrIncomplete) {
		return err
	}
	deleted, herr := m.c.DeleteHome(ctx, u.Home)
	if herr != nil {
		return errors.Join(err, herr)
	}
	if deleted {
		return nil
	}
	return err
}
