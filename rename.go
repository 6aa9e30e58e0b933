package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Former is what somebody was called before a rename. The directory keeps it with the
// account, so that nothing depends on a file.
type Former struct {
	Username string `json:"username,omitempty"` // "": it has not changed
	Mail     string `json:"mail,omitempty"`     // an alias until the day; "": it has not changed
	Until    Date   `json:"until"`              // on this day the address ends
	// Told: everything has followed, and the person was told. Until then the next run
	// completes the rename.
	Told bool `json:"told,omitempty"`
}

// ended reports whether the day of a former address has come.
func (f Former) ended(now Date) bool { return f.Told && f.Until <= now }

// unfinished returns the rename of an account that was cut off, or nil.
func (a *Account) unfinished() *Former {
	for i := range a.Former {
		if !a.Former[i].Told {
			return &a.Former[i]
		}
	}
	return nil
}

// retired is the account without the former names, and their addresses, that it does
// not have any more afterwards; not ok: not all of them were to end by now.
func (a Account) retired(after *Account, now Date) (Account, bool) {
	gone := func(f Former) bool { return !slices.Contains(after.Former, f) }
	for _, f := range a.Former {
		if gone(f) && !f.ended(now) {
			return a, false
		}
	}
	former := a.Former
	a.Former = slices.DeleteFunc(slices.Clone(former), gone)
	if len(a.Former) == 0 {
		a.Former = after.Former // none, in whatever form
	}
	a.Aliases = slices.DeleteFunc(slices.Clone(a.Aliases), func(s string) bool {
		return !slices.Contains(after.Aliases, s) &&
			slices.ContainsFunc(former, func(f Former) bool { return f.Mail == s && gone(f) })
	})
	return a, true
}

// Rename gives somebody another address, another user name where the site allows it,
// and what is called after them. The old address stays an alias until the day in the
// last of After.Former. With Before as After but for Told an earlier rename that was cut
// off is completed.
type Rename struct {
	Before Account  `json:"before"`
	After  Account  `json:"after"`
	Fields []string `json:"fields"` // what differs
	Access string   `json:"access"`
}

// Kind implements Action.
func (Rename) Kind() Kind                     { return KindRename }
func (a Rename) states() (*Account, *Account) { return &a.Before, &a.After }
func (a Rename) move() (from, to ContextID)   { return 0, a.After.Context }
func (Rename) takes() ContextID               { return 0 }
func (Rename) frees() ContextID               { return 0 }
func (a Rename) head(s *Step) headcount       { return a.change().head(s) }
func (Rename) leaves() ContextID              { return 0 }
func (a Rename) guards() guardSet             { return a.change().guards() }
func (Rename) counts() string                 { return "" }
func (a Rename) edit(before, after func(*Account)) Action {
	before(&a.Before)
	after(&a.After)
	return a
}
func (Rename) nature() nature {
	return nature{one: "person to rename", many: "people to rename", renames: true,
		kept: "a rename stays: the old address may be known as gone already; rename back"}
}
func (Rename) undo(_ *undoer, cur Account, _ *Step) (Account, string) { return cur, "" }

// change is the rename as the guards count it.
func (a Rename) change() ChangeAccount {
	return ChangeAccount{Before: a.Before, After: a.After, Fields: a.Fields, Access: a.Access}
}

func (a Rename) fields(o *object) { a.change().fields(o) }

// forbidden: a rename changes names, loses no address, and is of an open account.
func (a Rename) forbidden(now Date) string {
	switch {
	case a.Before.State != Active || a.After.State != Active:
		return fmt.Sprintf("an account that is %s is not renamed", a.Before.State)
	case a.After.Username == "" || a.After.Mail == "" || len(a.After.Former) == 0:
		return "somebody renamed has a name, an address and a former one"
	}
	for _, old := range append([]string{a.Before.Mail}, a.Before.Aliases...) {
		if old != a.After.Mail && !slices.Contains(a.After.Aliases, old) {
			return "an address would be lost at once"
		}
	}
	return changesMore(a.Before, a.After, func(x, y *Account) {
		for _, f := range accountFields {
			f.copy(x, y)
		}
		x.Username, x.Mail, x.Aliases, x.Former, x.Called, x.DN = y.Username, y.Mail, y.Aliases, y.Former, y.Called, y.DN
	})
}

// committed is the account once the directory has the new names: from then on they
// hold, and everything else follows.
func (a *Rename) committed() Account {
	c := a.After
	c.Former = slices.Clone(c.Former)
	for i := range c.Former {
		c.Former[i].Told = slices.Contains(a.Before.Former, c.Former[i])
	}
	return c
}

// was is the account by its names before the rename.
func (a *Rename) was() Account {
	w := a.After
	c := a.committed()
	if f := c.unfinished(); f != nil {
		if f.Username != "" {
			w.Username = f.Username
		}
		if f.Mail != "" {
			w.Mail = f.Mail
			w.Aliases = slices.DeleteFunc(slices.Clone(w.Aliases), func(s string) bool { return s == f.Mail })
		}
	}
	return w
}

// MailboxMover is a [Mailstore] whose mailboxes may lie where a name says.
type MailboxMover interface {
	// MoveMailbox brings the mail of a person who was renamed under the new name, if
	// it is not there. It deletes nothing, and done again does only what is missing.
	MoveMailbox(ctx context.Context, before, after Account) error
}

// carryOut has the directory say so first: then no name is given to anybody else, and
// whatever is cut off is completed, also by who has no journal. The mailbox and the user
// in Open-Xchange follow, the sessions under the old name end, and the person is told.
func (a Rename) carryOut(ctx context.Context, ap *applier, s *Step) error {
	live, err := ap.Directory.Account(ctx, a.After.Username)
	if errors.Is(err, ErrNotFound) && a.Before.Username != a.After.Username {
		live, err = ap.Directory.Account(ctx, a.Before.Username)
	}
	committed, was := a.committed(), a.was()
	switch {
	case err != nil:
		return fmt.Errorf("schoolmail: read account %s: %w", a.Before.Username, err)
	case live.Key != a.Before.Key:
		return fmt.Errorf("schoolmail: account %s belongs to another record now: %w", live.Username, ErrConflict)
	case live.Held:
		return fmt.Errorf("schoolmail: account %s was put on hold: %w", live.Username, ErrConflict)
	case live.State != a.Before.State || live.Context != a.Before.Context:
		return fmt.Errorf("schoolmail: account %s is %s in context %d, planned was %s in context %d: %w", live.Username,
			live.State, live.Context, a.Before.State, a.Before.Context, ErrConflict)
	}
	if slices.Equal(live.Former, a.After.Former) {
		return nil // an earlier run has done it
	}
	fresh := !slices.Equal(live.Former, committed.Former) || live.Username != committed.Username
	if fresh {
		if err := ap.changeDirectory(ctx, s, effectRename, a.Before, committed); err != nil {
			return err
		}
	}
	if c := a.After.Context; c != 0 {
		spec := userSpec(&a.After, a.Access)
		if was.Username != a.After.Username {
			spec.Former = []string{was.Username}
		}
		err := ap.effect(ctx, s, "ensure-user", func() error {
			_, err := ap.Groupware.EnsureUser(ctx, c, spec)
			return err
		})
		if err != nil {
			return err
		}
	}
	if mover, ok := ap.Mailstore.(MailboxMover); ok {
		err := ap.effect(ctx, s, "move-mailbox", func() error { return mover.MoveMailbox(ctx, was, a.After) })
		if err != nil {
			return err
		}
	}
	if err := ap.ensureMailbox(ctx, s, a.After); err != nil {
		return err
	}
	err = ap.effect(ctx, s, "disconnect", func() error { return ap.Mailstore.Disconnect(ctx, was) })
	if err != nil {
		return err
	}
	if err := ap.tellRename(ctx, s, &a, fresh); err != nil {
		return err
	}
	return ap.changeDirectory(ctx, s, effectRenamed, committed, a.After)
}

// tellRename tells the person, unless the journal says that this was done since the
// directory has the new names, which it has only now if the rename is fresh.
func (ap *applier) tellRename(ctx context.Context, s *Step, a *Rename, fresh bool) error {
	if _, told := ap.history.told[toldKey{NoticeRenamed, keyOf(s.ID)}]; told && !fresh {
		return nil
	}
	committed := a.committed()
	f := committed.unfinished()
	if f == nil {
		return nil
	}
	id := fingerprint([]string{string(NoticeRenamed), a.After.Key.Source, a.After.Key.ID, a.After.Mail,
		a.After.Username, f.Until.String()})[:24]
	return ap.effect(ctx, s, effectNotify, func() error {
		n := Notice{ID: id, Kind: NoticeRenamed, Account: a.After, Former: *f}
		if f.Mail != "" {
			n.Due = f.Until
		}
		return ap.Notifier.Notify(ctx, n)
	})
}
