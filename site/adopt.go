package site

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/site/report"
)

// A site that lives already is taken over in three steps. Accounts without a record id
// that look like a delivered person are proposed in a list; somebody goes through it and
// signs it; the accounts in it get source and record id. From then on they are accounts
// like those made here, and until then nothing is made for whoever could have one.

// Proposal is an account without a record id and whose it may be.
type Proposal struct {
	schoolmail.Adoption
	Account, Person string // what directory and export call them, with school and classes
}

// Proposals lists the accounts that may be taken over: the sure ones first, by user name.
// It writes nothing.
func (s *Site) Proposals(ctx context.Context, day schoolmail.Date) ([]Proposal, error) {
	w, err := s.Look(ctx, day)
	if err != nil {
		return nil, err
	}
	list, err := schoolmail.Adoptions(s.policy, w.State, w.Delivery, day)
	if err != nil {
		return nil, &InputError{err}
	}
	accounts, records := map[string]string{}, map[schoolmail.RecordKey]string{}
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		accounts[a.Username] = whoAndWhere(a.GivenName, a.FamilyName, a.Memberships)
	}
	for i := range w.Delivery.Records {
		r := &w.Delivery.Records[i]
		records[r.Key] = whoAndWhere(r.GivenName, r.FamilyName, r.Memberships)
	}
	out := make([]Proposal, len(list))
	for i, a := range list {
		out[i] = Proposal{a, accounts[a.Username], records[a.Key]}
	}
	slices.SortStableFunc(out, func(x, y Proposal) int { return cmp.Compare(number(y.Sure), number(x.Sure)) })
	return out, nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func whoAndWhere(given, family string, ms []schoolmail.Membership) string {
	var where []string
	for _, m := range ms {
		where = append(where, strings.Join(append([]string{string(m.School)}, m.Classes...), " "))
	}
	return fmt.Sprintf("%s %s (%s)", given, family, strings.Join(where, ", "))
}

// proposalsHead stands above a list. What begins with # is no part of it.
const proposalsHead = `# Accounts without a record id, and the delivered people whose they may be, of %s.
# Each row without # gives an account the record id beside it. The sure ones are rows;
# take one away, or put # before it, where it is wrong. The others stand below with a #:
# find out, and take the # of the right ones away. Then fill in who answers for the list,
# and on which day.
`

// oneLine: the # before a row is before its first line only.
var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// WriteProposals writes proposals as a list that somebody can sign, readable by the owner
// only: it names people. A file that is there already is left as it is, and an error.
func WriteProposals(file string, day schoolmail.Date, list []Proposal) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s is there already: expected a new file for the proposals", file)
	}
	return atomicfile.Write(file, atomicfile.Private, func(out io.Writer) error {
		if _, err := fmt.Fprintf(out, proposalsHead, day); err != nil {
			return err
		}
		w := csv.NewWriter(out)
		w.Comma = ';'
		rows := [][]string{{"by", ""}, {"date", ""}, {"username", "record", "sure", "why", "account", "person"}}
		for _, p := range list {
			row := []string{p.Username, p.Key.ID, "sure", p.Why, p.Account, p.Person}
			if !p.Sure {
				row[0], row[2] = "# "+row[0], "ask"
			}
			for i := range row {
				row[i] = report.Harmless(oneLine.Replace(row[i]))
			}
			rows = append(rows, row)
		}
		return w.WriteAll(rows)
	})
}

// AdoptOptions say how a list is carried out. The zero value only checks it, for today.
type AdoptOptions struct {
	Day        schoolmail.Date // 0: today
	Apply      bool
	BreakLease bool     // as in [RunOptions]
	Observer   Observer // is told of reading and waiting; nil: nobody is
}

// AdoptResult is what became of a list.
type AdoptResult struct {
	SHA256  string // of the list, hex
	By      string // who answers for it
	Already int    // accounts that had the record id before
	Adopted int    // that have got it; without Apply, that would
	// Refused are those that the directory refused: the log-in is closed, the account is
	// made for a purpose, or somebody was faster.
	Refused []RefusedAdoption
}

// RefusedAdoption is a row that could not be carried out.
type RefusedAdoption struct {
	Line int
	Err  error
}

// adopter is a [Directory] in which accounts can be given a record id.
type adopter interface {
	Adopt(ctx context.Context, username string, key schoolmail.RecordKey, day schoolmail.Date) error
}

// Adopt gives the accounts of a signed list (see [WriteProposals] and
// [district.ReadSigned]) the record ids that it says, and changes nothing else about
// them. A list with mistakes is refused as a whole: the error, an [InputError], has all
// of them with line and column. It holds the district's lease while it writes, and the
// journal has each account before and after. Done again, or after it was cut off, it does
// what is missing.
func (s *Site) Adopt(ctx context.Context, file string, opts *AdoptOptions) (*AdoptResult, error) {
	var o AdoptOptions
	if opts != nil {
		o = *opts
	}
	o.Day = cmp.Or(o.Day, schoolmail.DateOf(time.Now()))
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	defer s.teller.during(o.Observer)()
	d, ok := s.parts.Directory.(adopter)
	if !ok {
		return nil, errors.New("site: in this directory accounts cannot be given a record id")
	}
	list, err := district.ReadSigned(file, false, "username", "record")
	if err != nil {
		return nil, &InputError{err}
	}
	res := &AdoptResult{SHA256: list.SHA256, By: list.By + ", " + list.Date.String()}
	by := res.By + ", list " + list.SHA256
	if o.Apply {
		name, id, err := whoRuns()
		if err == nil {
			err = errors.Join(s.dayFits(o.Day), s.listApproved(list, id))
		}
		if err != nil {
			return nil, &InputError{err}
		}
		by += ", applied by " + name
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.limits.run(),
			fmt.Errorf("it has taken more than %s; run the same command to go on", s.limits.run()))
		defer cancel()
		l, err := s.lease(ctx, &RunOptions{Observer: o.Observer, BreakLease: o.BreakLease})
		if err != nil {
			return nil, fmt.Errorf("nothing was done: %w", err)
		}
		if l != nil {
			defer func(l *lease.Lease) { _ = l.Release() }(l) // else the next run finds out that nobody holds it
			ctx = l.Context()
		}
	}
	o.Observer.Observe(Event{Stage: Reading})
	w, err := s.Look(ctx, o.Day)
	if err != nil {
		return nil, err
	}
	if o.Apply {
		if err := s.clockFits(w); err != nil {
			return nil, &InputError{err}
		}
	}
	rows, err := s.adoptions(w, list, res)
	if err != nil {
		return nil, &InputError{err}
	}
	if !o.Apply {
		res.Adopted = len(rows)
		return res, nil
	}
	return res, s.adopt(ctx, d, w, rows, by, res)
}

// listApproved checks, where four eyes are wanted, that somebody else has approved the
// list as it is.
func (s *Site) listApproved(list *district.Signed, id string) error {
	if !s.fourEyes {
		return nil
	}
	a, err := ReadApproval(list.File)
	switch {
	case err != nil:
		return err
	case a == nil || a.Plan != approvedList || a.SHA256 != list.SHA256:
		return fmt.Errorf("nothing was done: [guards] four_eyes is set, and nobody has approved %s", list.File)
	case a.UserID == id:
		return fmt.Errorf("nothing was done: [guards] four_eyes is set, and %s has approved the list: somebody else "+
			"applies it", a.User)
	}
	return nil
}

// adoption is a row that is to be carried out.
type adoption struct {
	line     int
	username string
	key      schoolmail.RecordKey
}

// adoptions checks all rows of a list and returns those that are still to be done.
func (s *Site) adoptions(w *World, list *district.Signed, res *AdoptResult) ([]adoption, error) {
	k := newKnown(w)
	var rows []adoption
	var errs district.Errors
	lines := [2]map[string]int{{}, {}}
	for _, row := range list.Rows {
		key := schoolmail.RecordKey{Source: s.policy.Source, ID: row.Fields[1]}
		x := adoption{row.Line, strings.ToLower(row.Fields[0]), key}
		bad := func(column int, format string, args ...any) {
			errs = append(errs, &district.Error{File: list.File, Line: row.Line, Column: row.Columns[column],
				Kind: district.ErrValue, Message: fmt.Sprintf(format, args...)})
		}
		twice := false
		for i, field := range []string{x.username, x.key.ID} {
			if first := lines[i][field]; first != 0 {
				bad(i, "the %s stands in line %d already", []string{"user name", "record"}[i], first)
				twice = true
				continue
			}
			lines[i][field] = row.Line
		}
		a, r := k.accounts[x.username], k.records[x.key]
		if a == nil {
			bad(0, "expected the user name of an account in the directory")
		}
		if r == nil {
			bad(1, "expected the id of a record that is delivered and readable")
		}
		switch {
		case a == nil || r == nil || twice:
		case a.Key == x.key:
			res.Already++
		case a.Key.ID != "":
			bad(0, "the account has a record id already")
		case k.twice[x.key]:
			bad(1, "two records have this id")
		case k.owners[x.key]:
			bad(1, "another account has this record id")
		case s.areTwo(x):
			bad(1, "a distinct in the policy says that account and record are two people")
		default:
			if why := schoolmail.RefuseAdoption(a, r, w.Day); why != "" {
				bad(1, "account and record do not go together: %s", why)
				continue
			}
			rows = append(rows, x)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return rows, nil
}

// areTwo reports whether the policy says that the account and the record of a row are two.
func (s *Site) areTwo(x adoption) bool {
	return slices.ContainsFunc(s.policy.Distinct, func(d schoolmail.Distinct) bool {
		return d.A == x.key.ID && d.B == x.username
	})
}

// known is what rows of a list are compared with.
type known struct {
	accounts map[string]*schoolmail.Account
	owners   map[schoolmail.RecordKey]bool // records that have an account
	records  map[schoolmail.RecordKey]*schoolmail.Record
	twice    map[schoolmail.RecordKey]bool
}

func newKnown(w *World) *known {
	k := &known{map[string]*schoolmail.Account{}, map[schoolmail.RecordKey]bool{},
		map[schoolmail.RecordKey]*schoolmail.Record{}, map[schoolmail.RecordKey]bool{}}
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		k.accounts[a.Username], k.owners[a.Key] = a, true
	}
	for i := range w.Delivery.Records {
		r := &w.Delivery.Records[i]
		k.twice[r.Key] = k.records[r.Key] != nil
		k.records[r.Key] = r
	}
	return k
}

// adopt carries out rows, some at the same time. The first error that is not about a
// single account ends it.
func (s *Site) adopt(ctx context.Context, d adopter, w *World, rows []adoption, by string, res *AdoptResult) error {
	register := worldRegister(w)
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cmp.Or(s.parallel, 16))
	for _, x := range rows {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			entry := schoolmail.JournalEntry{Time: time.Now(), Step: "adopt:" + x.key.String(), Effect: "adopt-account",
				Phase: schoolmail.Intent, Subject: x.key.String(), By: by}
			if err := s.parts.Journal.Append(entry); err != nil {
				return err
			}
			// Made long ago, as far as anybody knows.
			err := d.Adopt(ctx, x.username, x.key, 0)
			entry.Time, entry.Phase = time.Now(), schoolmail.Done
			if err != nil {
				entry.Phase, entry.Error = schoolmail.Failed, register.sentence(err.Error())
			}
			if jerr := s.parts.Journal.Append(entry); jerr != nil {
				return errors.Join(err, jerr)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				res.Adopted++
			case errors.Is(err, schoolmail.ErrConflict), errors.Is(err, schoolmail.ErrNotFound):
				res.Refused = append(res.Refused, RefusedAdoption{x.line, errors.New(entry.Error)})
			default:
				return err
			}
			return nil
		})
	}
	err := g.Wait()
	slices.SortFunc(res.Refused, func(x, y RefusedAdoption) int { return cmp.Compare(x.Line, y.Line) })
	if err != nil {
		return fmt.Errorf("%d accounts were taken over before it ended; run the same command to go on: %w", res.Adopted, err)
	}
	return nil
}
