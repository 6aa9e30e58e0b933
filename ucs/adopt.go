package ucs

import (
	"context"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// Adopt gives an account that nobody stands behind yet, since somebody has entered
// it by hand, a record key: from then on it is an account like those made here,
// active since the given day; 0: for longer than anybody knows. Nothing else about it changes; its password, groups and
// addresses are those that it was given.
//
// An account is refused, as [ErrConflict], if it has a key, its log-in is closed, it is
// made for a time or a purpose (exams, functional accounts), or is neither a pupil's
// nor a teacher's nor one of the staff; so is a key that another account has. Adopting
// again with the same key does nothing.
func (c *Client) Adopt(ctx context.Context, username string, key schoolmail.RecordKey, day schoolmail.Date) error {
	return wrap("adopt account", username, c.adopt(ctx, username, key, day))
}

func (c *Client) adopt(ctx context.Context, username string, key schoolmail.RecordKey, day schoolmail.Date) error {
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		l, err := c.lookupToWrite(ctx, username, true)
		switch {
		case err != nil:
			return err
		case l == nil:
			return &Error{Kind: ErrNotFound, Err: errGone}
		case l.acct.Key == key:
			return nil
		}
		want := l.acct
		want.Key, want.State, want.Made = key, schoolmail.Active, day
		if err := c.adoptable(ctx, d, l, want); err != nil {
			return err
		}
		m := &mods{e: l.e, req: ldap.NewModifyRequest(l.e.dn, nil)}
		m.set("ucsschoolSourceUID", key.Source)
		m.set("ucsschoolRecordUID", key.ID)
		if err := c.setLife(ctx, d, m, l, want, ""); err != nil {
			return err
		}
		err = m.send(ctx, c)
		if !again(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// adoptable says why an account cannot be adopted as want.
func (c *Client) adoptable(ctx context.Context, d *domain, l *live, want schoolmail.Account) error {
	switch e := l.e; {
	case l.ours() || e.value("ucsschoolRecordUID") != "":
		return conflict("the account has a record key already")
	case e.has("univentionObjectFlag", "temporary") || e.has("univentionObjectFlag", "functional"),
		e.has("objectClass", "ucsschoolExam"):
		return conflict("the account is made for a time or a purpose")
	case want.Role == "" || mixed(e):
		return conflict("the account is neither a pupil's nor a teacher's nor one of the staff")
	case disabled(e):
		return conflict("the log-in of the account is closed")
	}
	if err := c.writable(want); err != nil {
		return err
	}
	others, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, "(&(ucsschoolSourceUID=" +
		ldap.EscapeFilter(want.Key.Source) + ")(ucsschoolRecordUID=" + ldap.EscapeFilter(want.Key.ID) + "))",
		[]string{"uid"}})
	if err == nil && len(others) > 0 {
		return conflict("another account has this record key")
	}
	return err
}
