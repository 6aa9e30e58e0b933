package site

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/site/journal"
)

// A Reader reads the export of the school administration. [escada.Dir] is one for
// CSV files in a folder; a program may bring its own with [Parts].
//
// An error means that the delivery is of no use at all: the run ends with it, as
// an [InputError], and no server is asked to change anything; what is being read of
// them meanwhile is broken off. Rows that cannot be read are no
// error but belong to Delivery.Rejected, so that their people are not taken for
// gone.
type Reader interface {
	Read(ctx context.Context, day schoolmail.Date) (schoolmail.Delivery, error)
}

// An Accepter is a [Reader] that wants to know which delivery was carried out, as
// [escada.Dir] does to notice when an older one is put back.
type Accepter interface {
	Accept(d *schoolmail.Delivery) error
}

// A Directory is the directory of all accounts: what [schoolmail.Apply] needs of
// it, and a way to read it as a whole.
type Directory interface {
	schoolmail.Directory
	Observe(ctx context.Context) (Accounts, error)
}

// Accounts is what a [Directory] holds.
type Accounts struct {
	Accounts []schoolmail.Account
	Retired  []schoolmail.RetiredName // names that must not be given to anybody again
	Findings []schoolmail.Finding     // what is odd in it, and left alone for that
	// Closed are the user names of active accounts of ours whose log-in somebody has
	// closed by hand.
	Closed []string
}

// A Groupware is Open-Xchange: what [schoolmail.Apply] needs of it, and a way to
// read contexts with their users. Contexts whose database is being updated come
// without users and say so.
type Groupware interface {
	schoolmail.Groupware
	Observe(ctx context.Context, ids []schoolmail.ContextID) ([]schoolmail.Context, []schoolmail.Place, error)
}

// Parts are parts of a site that a program brings along. What is nil is opened as
// the [Settings] say, which need to say nothing of the others. Whoever makes a part
// closes it, after the site.
type Parts struct {
	Reader    Reader
	Directory Directory
	Groupware Groupware
	Mailstore schoolmail.Mailstore
	Notifier  schoolmail.Notifier
	Journal   schoolmail.Journal
}

// Site is a whole district, opened: its policy, its export and its servers. It is
// for one run at a time.
type Site struct {
	// Books are the rules of the address books, for [Site.Explain]; nil: they are
	// not told.
	Books *addressbook.Rules

	settings *Settings // as opened
	brought  Parts     // by the program
	name     string
	policy   schoolmail.Policy
	parts    Parts
	stateDir string
	parallel int
	sandbox  bool
	fourEyes bool
	journal  *journal.File // where Open has opened it for writing
	names    *journalNames // of the people in the journal
	handOut  HandOut
	limits   TimeLimits
	language string // of people whose record names none
	alsoTell []AlsoTell
	atEnd    []AtEnd
	// retention is how many days the folders of runs are kept; 0: for ever.
	retention int
	copyWait  time.Duration
	// directoryFirst says that reading the groupware needs what was read from
	// the directory; otherwise both are read side by side.
	directoryFirst bool
	requests       map[string]func() int64         // by server, of the parts that Open has made
	times          map[string]func() time.Duration // of all requests together
	mailTook       atomic.Int64                    // calls of the mail store
	noticesTook    atomic.Int64
	closers        []func() error
	teller         teller
	verified       verified
}

// Name is what the district is called in reports and notices.
func (s *Site) Name() string { return s.name }

// Policy is the site's policy, with its defaults filled in.
func (s *Site) Policy() schoolmail.Policy { return s.policy }

// Ports are the parts that [schoolmail.Apply] works with.
func (s *Site) Ports() schoolmail.Ports {
	p := s.parts
	return schoolmail.Ports{Directory: p.Directory, Groupware: p.Groupware,
		Mailstore: s.mailstore(),
		Notifier:  limitedNotifier{p.Notifier, s.limits.notice(), &s.noticesTook}, Journal: p.Journal}
}

func (s *Site) mailstore() limitedMailstore {
	return limitedMailstore{s.parts.Mailstore, s.limits.command(), &s.mailTook}
}

// RunsDir is where runs leave plan and report, in a folder each.
func (s *Site) RunsDir() string { return filepath.Join(s.stateDir, "runs") }

// PasswordDir is where the lists of initial passwords are.
func (s *Site) PasswordDir() string { return filepath.Join(s.stateDir, "initial-passwords") }

func (s *Site) journalFile() string { return filepath.Join(s.stateDir, "journal.jsonl") }

// planFile keeps the plan that is being applied, so that the next run can go on
// with it after a crash.
func (s *Site) planFile() string { return filepath.Join(s.stateDir, "current-plan.json") }

// planNames has the names of the people in planFile.
func (s *Site) planNames() string { return filepath.Join(s.stateDir, "current-plan-names.json") }

// RequestTime returns how long a request to a server has taken so far on average; 0: it
// is not measured.
func (s *Site) RequestTime(server string) time.Duration {
	n := s.Requests()[server]
	if s.times[server] == nil || n == 0 {
		return 0
	}
	return s.times[server]() / time.Duration(n)
}

// Requests returns how many requests each server has got so far from the parts
// that [Open] has made.
func (s *Site) Requests() map[string]int64 {
	m := map[string]int64{}
	for server, count := range s.requests {
		m[server] = count()
	}
	return m
}

// Close ends all connections that [Open] has made and unlocks the journal. It may
// be called twice.
func (s *Site) Close() error {
	var errs []error
	for _, c := range slices.Backward(s.closers) {
		errs = append(errs, c())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// World is what a run has seen: the input of a plan.
type World struct {
	Day      schoolmail.Date
	Delivery schoolmail.Delivery
	State    schoolmail.State
	Findings []schoolmail.Finding // what reading the directory found odd
	Read     time.Duration        // how long reading took

	history *schoolmail.History // what the journal knew
}

// InputError marks an error of what the run was given: export, policy or plan.
// Nothing was done.
type InputError struct{ Err error }

// Error returns the error's text as it is.
func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *InputError) Unwrap() error { return e.Err }

// Look reads the export of the day and observes all servers. It writes nothing.
func (s *Site) Look(ctx context.Context, day schoolmail.Date) (*World, error) {
	start := time.Now()
	w := &World{Day: day}
	ids := make([]schoolmail.ContextID, 0, len(s.policy.Contexts))
	for _, c := range s.policy.Contexts {
		ids = append(ids, c.ID)
	}
	var closed []string
	asking, stop := context.WithCancel(ctx)
	defer stop()
	export := make(chan error, 1)
	go func() {
		var err error
		if w.Delivery, err = s.parts.Reader.Read(ctx, day); err != nil {
			stop() // when it is rubbish the servers need not tell any more
		}
		export <- err
	}()
	g, gctx := errgroup.WithContext(asking)
	if s.directoryFirst {
		g.SetLimit(1)
	}
	g.Go(func() error {
		a, err := s.parts.Directory.Observe(gctx)
		w.State.Accounts, w.State.Retired, w.Findings, closed = a.Accounts, a.Retired, a.Findings, a.Closed
		return err
	})
	g.Go(func() (err error) {
		w.State.Contexts, w.State.Places, err = s.parts.Groupware.Observe(gctx, ids)
		return err
	})
	err := g.Wait()
	if bad := <-export; bad != nil {
		return nil, &InputError{bad}
	}
	if err != nil {
		return nil, err
	}
	w.addByHand(&s.policy, closed)
	if more := s.elsewhere(w.State.Accounts, ids); len(more) > 0 {
		cs, ps, err := s.parts.Groupware.Observe(ctx, more)
		if err != nil {
			return nil, fmt.Errorf("some accounts live in contexts that the policy does not name, and these cannot be "+
				"read: %w", err)
		}
		w.State.Contexts = append(w.State.Contexts, cs...)
		w.State.Places = append(w.State.Places, ps...)
	}
	if err := errors.Join(s.askCopies(ctx, w), s.askRenames(ctx, w)); err != nil {
		return nil, err
	}
	if err := s.remember(w); err != nil {
		return nil, err
	}
	w.Read = time.Since(start)
	return w, nil
}

// askCopies finds out, before anything is planned, whether Open-Xchange can copy
// users: the service is an extra package, and deprecated.
func (s *Site) askCopies(ctx context.Context, w *World) error {
	g, ok := s.parts.Groupware.(interface {
		CanCopy(ctx context.Context) (bool, error)
	})
	if !ok || len(s.policy.Contexts) < 2 {
		return nil
	}
	can, err := g.CanCopy(ctx)
	if err == nil && !can {
		w.State.NoCopies = "Open-Xchange cannot copy users: its service OXUserCopyService is not installed"
	}
	return err
}

// remember adds what only the journal knows, and finds out whether it has seen
// nothing of what the directory shows: then it is not the one of this district.
func (s *Site) remember(w *World) error {
	h, err := schoolmail.ReadHistory(s.parts.Journal)
	if err != nil {
		return err
	}
	w.history, w.State.Leftovers = h, h.Leftovers()
	if s.journal != nil && s.journal.Recovered() > 0 {
		w.Findings = append(w.Findings, schoolmail.Finding{Kind: "journal-cut", Text: fmt.Sprintf(
			"%d bytes at the end of the journal were no whole entry and were cut off: an earlier run ended abruptly, or "+
				"somebody has "+
				"shortened the file; -verify-journal compares it with what the kept runs remember", s.journal.Recovered())})
	}
	if !h.Empty() {
		return nil
	}
	ours := 0
	for i := range w.State.Accounts {
		if w.State.Accounts[i].Key.Source == s.policy.Source {
			ours++
		}
	}
	if ours > 0 {
		w.Findings = append(w.Findings, schoolmail.Finding{Kind: "new-journal", Text: fmt.Sprintf(
			"the journal in %s is new, but %d managed accounts exist: a copied configuration, or a lost state folder? "+
				"Half-finished transfers cannot be told from other users without it", s.stateDir, ours)})
	}
	return nil
}

// elsewhere returns the contexts besides those of the policy that accounts of ours
// live in.
func (s *Site) elsewhere(accounts []schoolmail.Account, ids []schoolmail.ContextID) []schoolmail.ContextID {
	more := map[schoolmail.ContextID]bool{}
	for _, a := range accounts {
		if a.Key.Source != s.policy.Source {
			continue // none of our business
		}
		for _, c := range []schoolmail.ContextID{a.Context, a.Previous.Context} {
			if c != 0 && !slices.Contains(ids, c) {
				more[c] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(more))
}
