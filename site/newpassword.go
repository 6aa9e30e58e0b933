package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// A PasswordSetter is a [Directory] that can give somebody another password. It refuses
// whom a password would let in who is shut out: [schoolmail.ErrConflict].
type PasswordSetter interface {
	SetPassword(ctx context.Context, a schoolmail.Account, password schoolmail.Secret) error
}

// effectNewPassword is how the journal calls it; no password is ever in it.
const effectNewPassword = "new-password"

// WhosePasswords are one person, given as for [Site.Explain], or the pupils of a class.
type WhosePasswords struct {
	Who    string
	School schoolmail.SchoolID
	Class  string
}

// NewPasswordOptions say how new initial passwords are given. The zero value only tells
// who would get one, today.
type NewPasswordOptions struct {
	Day   schoolmail.Date // 0: today
	Apply bool            // set them
	By    string          // who asks for it; "": the operating system's user
	// BreakLease and Observer are those of [RunOptions].
	BreakLease bool
	Observer   Observer
}

// NewPassword is one person who gets a new initial password, or does not.
type NewPassword struct {
	Account schoolmail.Account
	School  schoolmail.SchoolID // hands it out
	Refused string              // why the person gets none; "": they get one
	Earlier bool                // of an earlier time that was cut off
	Set     bool                // it was set, and stands in the school's list
	Err     error               // why it was not, or why sessions may live on
}

// NewPasswords gives new initial passwords to accounts of ours that are open: to one
// person or to the pupils of a class, never to who is on hold or was shut out. The
// schools get them as they get those of new accounts, see [HandOut], the journal keeps
// who has asked for whom, and sessions are ended.
//
// All are on the disk before the first one is set, so that a crash loses none; the next
// time goes on with what was cut off. The error concerns what happens before anything
// is written, or the lists; what happens to single people is told with them.
func (s *Site) NewPasswords(ctx context.Context, whose WhosePasswords, opts *NewPasswordOptions) ([]NewPassword,
	error) {
	var o NewPasswordOptions
	if opts != nil {
		o = *opts
	}
	o.Day = cmp.Or(o.Day, schoolmail.DateOf(time.Now()))
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	defer s.teller.during(o.Observer)()
	if o.Apply {
		name, _, err := whoRuns()
		if err = errors.Join(err, s.dayFits(o.Day)); err != nil {
			return nil, &InputError{err}
		}
		o.By = cmp.Or(o.By, name)
		l, err := s.lease(ctx, &RunOptions{Observer: o.Observer, BreakLease: o.BreakLease})
		if err != nil {
			return nil, fmt.Errorf("nothing was done: %w", err)
		}
		if l != nil {
			ctx = l.Context()
			defer l.Release() // if that fails the next run finds out that nobody holds it
		}
	}
	seen, err := s.parts.Directory.Observe(ctx)
	if err != nil {
		return nil, err
	}
	list, err := s.whosePasswords(&seen, whose, o.Day)
	if err != nil {
		return nil, &InputError{err}
	}
	pw, err := s.openPasswords(newPasswords)
	if err != nil {
		return nil, err
	}
	list = s.cutOffPasswords(pw, &seen, list, o.Day)
	if !o.Apply {
		return list, nil
	}
	return list, s.setPasswords(ctx, pw, list, o.By)
}

// whosePasswords finds the people.
func (s *Site) whosePasswords(seen *Accounts, whose WhosePasswords, day schoolmail.Date) ([]NewPassword, error) {
	if whose.Who != "" {
		e := Explanation{source: s.policy.Source}
		err := e.find(&World{State: schoolmail.State{Accounts: seen.Accounts}}, whose.Who)
		switch {
		case errors.Is(err, ErrNobody):
			return nil, fmt.Errorf("%q: %w", whose.Who, ErrNoAccount)
		case err != nil:
			return nil, fmt.Errorf("%q: %w", whose.Who, err)
		}
		p := NewPassword{Account: *e.Account, Refused: s.noPassword(seen, e.Account, day)}
		if ms := e.Account.Memberships; len(ms) > 0 {
			p.School = ms[0].School
		}
		return []NewPassword{p}, nil
	}
	var list []NewPassword
	known := false
	for i := range seen.Accounts {
		a := &seen.Accounts[i]
		in := false
		for _, m := range a.Memberships {
			known = known || strings.EqualFold(string(m.School), string(whose.School))
			in = in || strings.EqualFold(string(m.School), string(whose.School)) && slices.ContainsFunc(m.Classes,
				func(c string) bool { return strings.EqualFold(c, whose.Class) })
		}
		if in && a.Role == schoolmail.RolePupil {
			list = append(list, NewPassword{Account: *a, School: whose.School, Refused: s.noPassword(seen, a, day)})
		}
	}
	switch {
	case !known:
		return nil, fmt.Errorf("nobody is at school %q", whose.School)
	case len(list) == 0:
		return nil, fmt.Errorf("school %s has no pupil in class %q", whose.School, whose.Class)
	}
	return list, nil
}

// noPassword says why somebody gets no new password, or "".
func (s *Site) noPassword(seen *Accounts, a *schoolmail.Account, day schoolmail.Date) string {
	for _, h := range s.policy.Holds {
		if h.ID == a.Key.ID && a.Key.Source == s.policy.Source && day <= h.Until {
			return fmt.Sprintf("on hold until %s by %s: %s", h.Until, h.By, h.Reason)
		}
	}
	switch {
	case a.Key.Source != s.policy.Source || a.Key.ID == "":
		return "not made by schoolmail for this export"
	case a.Held:
		return "on hold in the directory"
	case a.State != schoolmail.Active && a.State != schoolmail.Leaving:
		return "the account is " + string(a.State)
	case slices.Contains(seen.Closed, a.Username):
		return "somebody has closed the log-in by hand"
	}
	return ""
}

// cutOffPasswords puts those before whom an earlier time was to give one and did not
// come to the end.
func (s *Site) cutOffPasswords(pw *passwords, seen *Accounts, list []NewPassword, day schoolmail.Date) []NewPassword {
	var before []NewPassword
	for i := range seen.Accounts {
		a := &seen.Accounts[i]
		r, ok := pw.prepared[a.Username]
		if !ok || slices.ContainsFunc(list, func(p NewPassword) bool { return p.Account.Username == a.Username }) {
			continue
		}
		school := r.School
		there := func(m schoolmail.Membership) bool { return m.School == school }
		if len(a.Memberships) > 0 && !slices.ContainsFunc(a.Memberships, there) { // gone to another one meanwhile
			school = a.Memberships[0].School
		}
		before = append(before, NewPassword{Account: *a, School: school, Earlier: true,
			Refused: s.noPassword(seen, a, day)})
	}
	return append(before, list...)
}

// setPasswords sets them, one after the other, and gives the schools those that were.
func (s *Site) setPasswords(ctx context.Context, pw *passwords, list []NewPassword, by string) error {
	setter, ok := s.parts.Directory.(PasswordSetter)
	if !ok {
		return &InputError{errors.New("nothing was done: this directory cannot give anybody another password")}
	}
	for i := range list {
		if p := &list[i]; p.Refused == "" {
			pw.prepareOne(&p.Account, p.School)
		} else {
			delete(pw.prepared, p.Account.Username) // it was never told to anybody
		}
	}
	if err := pw.save(); err != nil {
		return err
	}
	set := map[string]bool{}
	var err error
	for i := range list {
		p := &list[i]
		if p.Refused != "" {
			continue
		}
		if p.Set, err = s.setPassword(ctx, setter, p, schoolmail.Secret(pw.prepared[p.Account.Username].Password),
			by); err != nil {
			break
		}
		set[p.Account.Username] = p.Set
	}
	return errors.Join(err, pw.publish(func(username string) bool { return set[username] }))
}

// setPassword gives one person a password; the error is one that ends everything.
func (s *Site) setPassword(ctx context.Context, setter PasswordSetter, p *NewPassword, password schoolmail.Secret,
	by string) (set bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	note := func(phase schoolmail.JournalPhase, failure error) error {
		e := schoolmail.JournalEntry{Time: time.Now(), Step: effectNewPassword + ":" + p.Account.Key.String(),
			Effect: effectNewPassword, Phase: phase, Subject: p.Account.Key.String(), By: by}
		if failure != nil {
			// A server's sentence may name the person; the journal names nobody.
			named := schoolmail.State{Accounts: []schoolmail.Account{p.Account}}
			e.Error = worldRegister(&World{State: named}).sentence(failure.Error())
		}
		if err := s.parts.Journal.Append(e); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		return nil
	}
	if err := note(schoolmail.Intent, nil); err != nil {
		return false, err
	}
	if p.Err = setter.SetPassword(ctx, p.Account, password); p.Err != nil {
		return false, note(schoolmail.Failed, p.Err)
	}
	if err := s.Ports().Mailstore.Disconnect(ctx, p.Account); err != nil && !errors.Is(err, schoolmail.ErrNotFound) {
		p.Err = fmt.Errorf("the password was set, but sessions may live on: %w", err)
	}
	return true, note(schoolmail.Done, p.Err)
}
