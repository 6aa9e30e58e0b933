package dovecot

import (
	"context"
	"errors"

	"github.com/ictmedia/schoolmail"
)

// Mailstore is the [schoolmail.Mailstore] of a Dovecot site.
type Mailstore struct {
	c     *Client
	login func(schoolmail.Account) string
	want  Want
}

var _ schoolmail.Mailstore = (*Mailstore)(nil)

// NewMailstore returns a mail store in which login tells under which name
// Dovecot knows an account; nil means its mail address, as on UCS.
func NewMailstore(c *Client, login func(schoolmail.Account) string, want Want) *Mailstore {
	if login == nil {
		login = func(a schoolmail.Account) string { return a.Mail }
	}
	return &Mailstore{c: c, login: login, want: want}
}

// EnsureMailbox makes sure that the folders exist, see [Client.Ensure].
func (m *Mailstore) EnsureMailbox(ctx context.Context, a schoolmail.Account) error {
	_, err := m.c.Ensure(ctx, m.login(a), m.want)
	return err
}

// Disconnect makes the server forget the account's cached password and ends
// its sessions.
func (m *Mailstore) Disconnect(ctx context.Context, a schoolmail.Account) error {
	if _, err := m.c.FlushAuthCache(ctx, m.login(a)); err != nil {
		return err
	}
	_, err := m.c.Kick(ctx, m.login(a))
	return err
}

// RemoveMailbox removes all mail, see [Client.RemoveMail]. A user that Dovecot
// does not know has none.
func (m *Mailstore) RemoveMailbox(ctx context.Context, a schoolmail.Account) error {
	err := m.c.RemoveMail(ctx, m.login(a))
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	return err
}
