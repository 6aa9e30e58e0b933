package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
)

// Pair names two places that are compared.
type Pair string

// The pairs: the directory is compared with each of the others.
const (
	ExportDirectory Pair = "export and directory"
	DirectoryOX     Pair = "directory and Open-Xchange"
	DirectoryMail   Pair = "directory and mail store"
)

// Difference is one thing in which two places differ about a person. "" stands for
// nothing: the person, or the field, is not there.
type Difference struct {
	Pair     Pair
	Key      schoolmail.RecordKey // zero: nobody of ours
	Username string               // "": no account yet
	School   schoolmail.SchoolID
	Field    string
	First    string // as the first of the pair has it
	Second   string
}

// Drift compares export, directory, Open-Xchange and mail store, and returns who
// differs where, sorted by pair and school. It reads only, one request to the mail
// store for each account of the selection (nil: of all). The plan is one of the same
// world.
func (s *Site) Drift(ctx context.Context, w *World, plan *schoolmail.Plan, sel *schoolmail.Selection) ([]Difference,
	error) {
	var list []Difference
	for i := range plan.Steps {
		list = append(list, fromExport(&plan.Steps[i])...)
	}
	for i := range plan.Held {
		list = append(list, fromExport(&plan.Held[i].Step)...)
	}
	list = append(list, s.fromOX(w)...)
	list = slices.DeleteFunc(list, func(d Difference) bool { return !d.in(sel, w) })
	mail, err := s.fromMail(ctx, w, sel)
	if err != nil {
		return nil, err
	}
	list = append(list, mail...)
	slices.SortStableFunc(list, func(x, y Difference) int {
		return cmp.Or(slices.Index(pairs, x.Pair)-slices.Index(pairs, y.Pair),
			cmp.Compare(x.School, y.School), cmp.Compare(x.Username, y.Username))
	})
	return list, nil
}

var pairs = []Pair{ExportDirectory, DirectoryOX, DirectoryMail}

// in reports whether a difference is about somebody of a selection.
func (d *Difference) in(sel *schoolmail.Selection, w *World) bool {
	if sel.Empty() {
		return true
	}
	for i := range w.State.Accounts {
		if a := &w.State.Accounts[i]; a.Username == d.Username && d.Username != "" {
			return selects(sel, a)
		}
	}
	a := schoolmail.Account{Key: d.Key, Username: d.Username, Memberships: []schoolmail.Membership{{School: d.School}}}
	return selects(sel, &a)
}

// selects reports whether a selection has an account.
func selects(sel *schoolmail.Selection, a *schoolmail.Account) bool {
	return sel.Has(&schoolmail.Step{Subject: a.Username, Key: a.Key, Role: a.Role,
		Action: schoolmail.CancelNotice{Before: *a, After: *a}})
}

// fromExport turns what a run would do, or holds, into what it is about.
func fromExport(s *schoolmail.Step) []Difference {
	d := Difference{Pair: ExportDirectory, Key: s.Key, Username: s.Subject, School: s.School, Field: "person"}
	switch a := s.Action.(type) {
	case schoolmail.CreateAccount:
		d.Username, d.First = "", a.Account.DisplayName
	case schoolmail.SendNotice, schoolmail.Deactivate, schoolmail.Purge:
		d.Second = s.DisplayName()
	case schoolmail.CancelNotice, schoolmail.Reactivate, schoolmail.ChangeAccount, schoolmail.TransferContext:
		var list []Difference
		for _, c := range s.Changes() {
			x := d
			x.Field, x.First, x.Second = c.Field, c.After, c.Before
			list = append(list, x)
		}
		return list
	default:
		return nil
	}
	return []Difference{d}
}

// fromOX compares the accounts with the users of all contexts that were read.
func (s *Site) fromOX(w *World) []Difference {
	type at struct {
		context schoolmail.ContextID
		name    string
	}
	places := map[at]*schoolmail.Place{}
	for i := range w.State.Places {
		p := &w.State.Places[i]
		places[at{p.Context, strings.ToLower(p.Username)}] = p
	}
	var list []Difference
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		if old := a.Previous.Context; old != 0 {
			delete(places, at{old, strings.ToLower(a.Username)})
		}
		key := at{a.Context, strings.ToLower(a.Username)}
		p := places[key]
		delete(places, key)
		if a.Key.Source != s.policy.Source || a.Context == 0 {
			continue
		}
		d := Difference{Pair: DirectoryOX, Key: a.Key, Username: a.Username, School: firstSchool(a)}
		if p == nil {
			d.Field, d.First = "user", fmt.Sprintf("context %d", a.Context)
			list = append(list, d)
			continue
		}
		step := schoolmail.Step{Action: schoolmail.RepairPlace{Account: *a, Found: *p}}
		for _, c := range step.Changes() {
			d.Field, d.First, d.Second = c.Field, c.After, c.Before
			list = append(list, d)
		}
	}
	for _, p := range places {
		if !p.Admin {
			list = append(list, Difference{Pair: DirectoryOX, Username: p.Username, Field: "user",
				Second: fmt.Sprintf("context %d, user %d", p.Context, p.UserID)})
		}
	}
	slices.SortFunc(list, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Username, y.Username), cmp.Compare(x.Second, y.Second))
	})
	return list
}

func firstSchool(a *schoolmail.Account) schoolmail.SchoolID {
	if len(a.Memberships) == 0 {
		return ""
	}
	return a.Memberships[0].School
}

// fromMail asks the mail store for the mailbox of each open account.
func (s *Site) fromMail(ctx context.Context, w *World, sel *schoolmail.Selection) ([]Difference, error) {
	m, ok := s.parts.Mailstore.(interface {
		Missing(context.Context, schoolmail.Account) ([]string, error)
	})
	if !ok {
		return nil, nil
	}
	var mu sync.Mutex
	var list []Difference
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, s.parallel))
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		open := a.State == schoolmail.Active || a.State == schoolmail.Leaving
		if a.Key.Source != s.policy.Source || !open || !selects(sel, a) {
			continue
		}
		g.Go(func() error {
			missing, err := m.Missing(ctx, *a)
			if errors.Is(err, schoolmail.ErrNotFound) {
				missing, err = []string{a.Mail}, nil
			}
			if err != nil || len(missing) == 0 {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, Difference{Pair: DirectoryMail, Key: a.Key, Username: a.Username, School: firstSchool(a),
				Field: "mailbox", First: strings.Join(missing, ", ")})
			return nil
		})
	}
	return list, g.Wait()
}

// WriteDrift writes differences for a terminal, pair by pair.
func WriteDrift(w io.Writer, list []Difference) error {
	var b strings.Builder
	for _, pair := range pairs {
		first, second, _ := strings.Cut(string(pair), " and ")
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		n := 0
		for _, d := range list {
			if d.Pair != pair {
				continue
			}
			if n++; n == 1 {
				fmt.Fprintf(tw, "  school\twho\trecord\twhat\t%s\t%s\n", first, second)
			}
			record := "(none of ours)"
			if d.Key.ID != "" {
				record = d.Key.ID
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(string(d.School), "-"), cmp.Or(d.Username, "-"), record,
				d.Field, cmp.Or(d.First, "(none)"), cmp.Or(d.Second, "(none)"))
		}
		if n == 0 {
			fmt.Fprintf(&b, "%s: the same\n", pair)
			continue
		}
		fmt.Fprintf(&b, "%s: %d %s\n", pair, n, [2]string{"difference", "differences"}[min(n-1, 1)])
		tw.Flush()
	}
	_, err := io.WriteString(w, b.String())
	return err
}
