package schoolmail

import (
	"context"
	"errors"
	"fmt"
)

// A transfer is a transaction whose commit point is the directory:
//
//	look: the target has no user of this name, or one that the journal proves ours
//	intent on record, copy, verify        (before the commit point: the copy is discardable)
//	directory: context, and where the old copy is   <- commit point
//	delete the old copy, now or after the grace     (after it: the old copy is)
//
// A copy is proved ours by an intent that was written after looking and finding
// nobody, unless the server refused the copy. What is not proved ours is never
// deleted, nor is a user where the directory says that the person lives, nor an
// old copy without such a user.

// settleProofs looks what became of copies whose outcome is not on record, so
// that no proof outlives its copy.
func (a *applier) settleProofs(ctx context.Context) error {
	for _, k := range a.history.copies.sorted() {
		e := JournalEntry{Effect: effectCopy, Phase: Abandoned, Subject: k.username, To: k.to}
		if live, err := a.Directory.Account(ctx, k.username); err == nil && live.Context == k.to {
			e.Effect, e.Phase = effectSwitch, Done
		} else if _, err := a.Groupware.User(ctx, k.to, k.username); !errors.Is(err, ErrNotFound) {
			continue // still there, or not to be seen now
		}
		if err := a.journal(e); err != nil {
			return err
		}
		delete(a.history.copies, k)
	}
	return nil
}

func (a *applier) proof(username string, to ContextID) (copyProof, bool) {
	p, ok := a.history.copies[copyKey{username, to}] // read only while running
	return p, ok
}

func (act TransferContext) carryOut(ctx context.Context, a *applier, s *Step) error {
	from, to := act.Before.Context, act.After.Context
	username := act.Before.Username
	moved := Account{Key: act.After.Key, Username: username, State: act.After.State, Context: to}
	if live, err := a.as(ctx, &act.Before); err != nil {
		if _, e := a.as(ctx, &moved); e != nil {
			return err
		}
		switch live.Previous { // an earlier run got past the commit point
		case act.After.Previous:
			return a.settle(ctx, s, act)
		case Previous{}:
			if !act.KeepCopy {
				return nil
			}
		}
		return err
	}
	src, err := a.Groupware.User(ctx, from, username)
	if err != nil {
		return fmt.Errorf("schoolmail: transfer %s: look in context %d: %w", username, from, err)
	}
	if src.UserID != act.OldCopy {
		return fmt.Errorf("schoolmail: transfer %s: user %d in context %d, planned was %d: %w", username, src.UserID, from,
			act.OldCopy, ErrConflict)
	}
	switch there, err := a.Groupware.User(ctx, to, username); {
	case err == nil:
		if p, ours := a.proof(username, to); !ours || !p.fits(src, there, &act.After) {
			return fmt.Errorf("schoolmail: transfer %s: context %d has a user of this name that the journal does not prove "+
				"ours: nothing is deleted: %w", username, to, ErrConflict)
		}
		// The source may have changed since the copy was made: copy again.
		if err := a.discard(ctx, s, there); err != nil {
			return err
		}
	case !errors.Is(err, ErrNotFound):
		return fmt.Errorf("schoolmail: transfer %s: look in context %d: %w", username, to, err)
	}
	dst, err := a.copyUser(ctx, s, src, &act.After, act.Access)
	if err != nil {
		return err
	}
	if err := a.verify(ctx, src, dst); err != nil {
		return errors.Join(err, a.discard(ctx, s, dst))
	}
	err = a.record(ctx, s, effectSwitch, from, to, dst.UserID, func() error {
		err := a.Directory.ChangeAccount(ctx, act.Before, act.After)
		if err != nil && !errors.Is(err, ErrConflict) {
			// Did it happen? Look.
			if live, e := a.Directory.Account(ctx, username); e == nil && live.Context == to &&
				live.Previous == act.After.Previous {
				return nil
			}
		}
		return err
	})
	if errors.Is(err, ErrConflict) { // somebody changed the account: it stays where it is
		return errors.Join(err, a.discard(ctx, s, dst)) // unless that is where the copy is
	}
	if err != nil {
		return err // the journal proves the copy ours: the next run resumes
	}
	return a.settle(ctx, s, act)
}

// copyUser copies and, when the answer is an error, finds out whether it
// happened. What is there after a refusal is somebody else's.
func (a *applier) copyUser(ctx context.Context, s *Step, src Place, to *Account, access string) (Place, error) {
	if err := context.Cause(ctx); err != nil {
		return Place{}, err
	}
	e := JournalEntry{Step: s.ID, Effect: effectCopy, Phase: Intent, Subject: to.Username, From: src.Context,
		To: to.Context}
	if err := a.journal(e); err != nil {
		return Place{}, err
	}
	dst, err := a.Groupware.CopyUser(ctx, to.Username, src.Context, to.Context, userSpec(to, access))
	if err == nil {
		e.Phase, e.UserID = Done, dst.UserID
		return dst, a.journal(e)
	}
	err = fmt.Errorf("schoolmail: transfer %s from context %d to %d: %w", to.Username, src.Context, to.Context, err)
	if dst.UserID == 0 && errors.Is(err, ErrLostAnswer) {
		found, look := a.Groupware.User(ctx, to.Context, to.Username)
		switch {
		case look == nil && alike(src, found, to):
			dst = found
		case look != nil && !errors.Is(look, ErrNotFound):
			return Place{}, err // unknown: the intent stands as the proof
		}
	}
	if dst.UserID == 0 { // refused, never begun, or somebody took the name between our look and the copy
		e.Phase, e.Error = Failed, err.Error()
		return Place{}, errors.Join(err, a.journal(e))
	}
	// It happened, but perhaps not to the end: take it away, so that the next run
	// begins anew.
	e.Phase, e.UserID = Done, dst.UserID
	if e2 := a.journal(e); e2 != nil {
		return Place{}, errors.Join(err, e2)
	}
	return Place{}, errors.Join(err, a.discard(ctx, s, dst))
}

// restore copies the user of an account back from the old copy, which is all that
// is left. The old copy is first given another grace, so that it outlives
// whatever goes wrong.
func (a *applier) restore(ctx context.Context, s *Step, act RepairPlace, live Account) error {
	acc, old := &act.Account, act.Account.Previous
	if live.Previous.Context != old.Context || live.Previous.UserID != old.UserID {
		return fmt.Errorf("schoolmail: account %s remembers another old copy: %w", acc.Username, ErrConflict)
	}
	src, err := a.Groupware.User(ctx, old.Context, acc.Username)
	if err != nil {
		return fmt.Errorf("schoolmail: restore %s: look in context %d: %w", acc.Username, old.Context, err)
	}
	if src.UserID != old.UserID {
		return fmt.Errorf("schoolmail: restore %s: user %d in context %d, remembered was %d: %w", acc.Username, src.UserID,
			old.Context, old.UserID, ErrConflict)
	}
	dst, err := a.Groupware.User(ctx, acc.Context, acc.Username)
	if err == nil { // an earlier run got as far as this, or somebody else did
		return a.verify(ctx, src, dst)
	}
	if !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("schoolmail: restore %s: look in context %d: %w", acc.Username, acc.Context, err)
	}
	if live.Previous != old {
		after := live
		after.Previous = old
		if err := a.changeDirectory(ctx, s, "keep-old-copy", live, after); err != nil {
			return err
		}
	}
	if dst, err = a.copyUser(ctx, s, src, acc, act.Access); err != nil {
		return err
	}
	if err := a.verify(ctx, src, dst); err != nil {
		// This run has made it, so it may go although the person lives there: the
		// whole of it is in the old copy.
		return errors.Join(err, a.remove(ctx, s, dst))
	}
	return a.journal(JournalEntry{Step: s.ID, Effect: effectSwitch, Phase: Done, Subject: s.Subject, From: old.Context,
		To: acc.Context, UserID: dst.UserID})
}

func (a *applier) verify(ctx context.Context, src, dst Place) error {
	if err := a.Groupware.VerifyCopy(ctx, src, dst); err != nil {
		return fmt.Errorf("schoolmail: the copy of %s in context %d is not complete: %w", dst.Username, dst.Context, err)
	}
	return nil
}

// settle removes the old copy, or closes it if it is kept for the grace.
func (a *applier) settle(ctx context.Context, s *Step, act TransferContext) error {
	if act.KeepCopy {
		return a.closeCopy(ctx, s, Place{Context: act.Before.Context, UserID: act.OldCopy, Username: act.Before.Username})
	}
	after := act.After
	after.Previous = Previous{}
	return DropCopy{Before: act.After, After: after}.carryOut(ctx, a, s)
}

// closeCopy keeps people out of an old copy, where the groupware can: what somebody
// still does there would be lost with it.
func (a *applier) closeCopy(ctx context.Context, s *Step, old Place) error {
	g, ok := a.Groupware.(CopyCloser)
	if !ok {
		return nil
	}
	return a.record(ctx, s, "close-old-copy", old.Context, 0, old.UserID,
		func() error { return g.CloseCopy(ctx, old, false) })
}

// dropLeftover removes what a cut-off transfer has left behind, if it is still what
// the journal proves and the person's place stands elsewhere.
func (a *applier) dropLeftover(ctx context.Context, s *Step, act DropCopy) error {
	live, err := a.Directory.Account(ctx, act.Before.Username)
	if err != nil {
		return fmt.Errorf("schoolmail: read account %s: %w", act.Before.Username, err)
	}
	if live.Key != act.Before.Key || live.Held || live.Context != act.Before.Context {
		return fmt.Errorf("schoolmail: account %s is in context %d now, planned was %d: %w", live.Username, live.Context,
			act.Before.Context, ErrConflict)
	}
	there, err := a.Groupware.User(ctx, act.Leftover.Context, live.Username)
	if errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("schoolmail: look for %s in context %d: %w", live.Username, act.Leftover.Context, err)
	}
	home, err := a.Groupware.User(ctx, live.Context, live.Username)
	if err != nil {
		return fmt.Errorf("schoolmail: look for %s in context %d: %w", live.Username, live.Context, err)
	}
	if p, ours := a.proof(live.Username, there.Context); !ours || !p.fits(home, there, &live) {
		return fmt.Errorf("schoolmail: the journal does not prove that the user %s in context %d is a copy of ours: "+
			"nothing is deleted: %w",
			live.Username, there.Context, ErrConflict)
	}
	if err := a.mark(ctx, s, live, act.After.Marks); err != nil {
		return err
	}
	return a.discard(ctx, s, there)
}

// carryOut removes the old copy that the directory remembers.
func (act DropCopy) carryOut(ctx context.Context, a *applier, s *Step) error {
	if act.Leftover != nil {
		return a.dropLeftover(ctx, s, act)
	}
	live, err := a.as(ctx, &act.Before)
	if err != nil {
		if a.past(s, &live) {
			return nil
		}
		return err
	}
	switch old := act.Before.Previous; live.Previous {
	case Previous{}:
		return nil
	case old:
		if err := a.stands(ctx, &live); err != nil && !(act.WithAccount && errors.Is(err, ErrNotFound)) {
			if errors.Is(err, ErrNotFound) {
				return fmt.Errorf("schoolmail: the old copy of %s in context %d is all that is left: nothing is deleted: %w",
					act.Before.Username, old.Context, ErrConflict)
			}
			return err
		}
		marked := act.Before
		marked.Marks = act.After.Marks
		if err := a.mark(ctx, s, live, marked.Marks); err != nil {
			return err
		}
		err := a.record(ctx, s, "delete-old-copy", old.Context, act.Before.Context, old.UserID, func() error {
			return a.Groupware.DeleteUser(ctx, Place{Context: old.Context, UserID: old.UserID, Username: act.Before.Username})
		})
		if err != nil {
			return err
		}
		return a.changeDirectory(ctx, s, "forget-old-copy", marked, act.After)
	}
	return fmt.Errorf("schoolmail: account %s remembers another old copy: %w", act.Before.Username, ErrConflict)
}

// stands fails, with [ErrNotFound], unless an account has its user where the
// directory says.
func (a *applier) stands(ctx context.Context, acc *Account) error {
	if _, err := a.Groupware.User(ctx, acc.Context, acc.Username); err != nil {
		return fmt.Errorf("schoolmail: look for %s in context %d: %w", acc.Username, acc.Context, err)
	}
	return nil
}

// discard removes a copy in the target that is proved ours, unless the directory
// says that it is where the person lives, or an old copy.
func (a *applier) discard(ctx context.Context, s *Step, p Place) error {
	live, err := a.Directory.Account(ctx, p.Username)
	if err != nil {
		return fmt.Errorf("schoolmail: read account %s before its copy in context %d is deleted: %w", p.Username, p.Context,
			err)
	}
	if live.Context == p.Context || live.Previous.Context == p.Context {
		return fmt.Errorf("schoolmail: the directory says that %s lives or has lived in context %d: nothing is deleted "+
			"there: %w", p.Username, p.Context, ErrConflict)
	}
	return a.remove(ctx, s, p)
}

func (a *applier) remove(ctx context.Context, s *Step, p Place) error {
	return a.record(ctx, s, effectDiscard, 0, p.Context, p.UserID, func() error { return a.Groupware.DeleteUser(ctx, p) })
}

// record is effect with contexts and OX id in the journal.
func (a *applier) record(ctx context.Context, s *Step, name string, from, to ContextID, id UserID,
	f func() error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	e := JournalEntry{Step: s.ID, Effect: name, Phase: Intent, Subject: s.Subject, From: from, To: to, UserID: id}
	if err := a.journal(e); err != nil {
		return err
	}
	err := f()
	e.Phase = Done
	if err != nil {
		e.Phase, e.Error = Failed, err.Error()
	}
	a.later(e)
	return err
}
