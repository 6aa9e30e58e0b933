package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// world is a directory, an OX and a mail server in memory, with the rules that
// the planner and Apply rely on. It is stricter than the ports ask: it fails the
// test when a context overflows or data of a person is lost.
type world struct {
	mu        sync.Mutex
	t         testing.TB
	accounts  map[string]Account
	retired   map[string]Date
	contexts  map[ContextID]*worldContext
	boxes     map[string]bool
	notices   map[string]int
	journal   []JournalEntry
	passwords map[string]Secret
	capacity  map[ContextID]int

	writes int // effects on the outside world
	// fault is called with a running number before (done false) and after
	// (done true) every outside effect, and before and after each journal
	// write; an error is what the caller gets.
	fault func(n int, what string, done bool) error
	calls int

	// failedRestore: a copy that was made beside the last one may go again.
	failedRestore bool
}

type worldContext struct {
	users map[string]worldUser
	next  UserID
}

type worldUser struct {
	id   UserID
	spec UserSpec
	data string // the person's private data: must travel
}

func newWorld(t testing.TB, p Policy) *world {
	w := &world{t: t, accounts: map[string]Account{}, retired: map[string]Date{}, contexts: map[ContextID]*worldContext{},
		boxes: map[string]bool{}, passwords: map[string]Secret{}, notices: map[string]int{}, capacity: map[ContextID]int{}}
	for _, c := range p.Contexts {
		w.capacity[c.ID] = c.Capacity
	}
	return w
}

func (w *world) ports() Ports { return Ports{w, w, w, w, (*worldJournal)(w)} }

// effect runs f under the lock, between the two faults.
func (w *world) effect(what string, f func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	n := w.calls
	if w.fault != nil {
		if err := w.fault(n, what, false); err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	if w.fault != nil {
		return w.fault(n, what, true)
	}
	return nil
}

func clone(a Account) Account {
	a.Aliases = slices.Clone(a.Aliases)
	a.Memberships = slices.Clone(a.Memberships)
	return a
}

func (w *world) Account(ctx context.Context, username string) (Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		if err := w.fault(0, "read", false); err != nil {
			return Account{}, err
		}
	}
	a, ok := w.accounts[username]
	if !ok {
		return a, ErrNotFound
	}
	return clone(a), nil
}

func (w *world) CreateAccount(ctx context.Context, a Account, initial Secret) error {
	return w.effect("create-account", func() error {
		if initial == "" {
			w.t.Errorf("account %s without a password", a.Username)
		}
		if o, ok := w.accounts[a.Username]; ok && (o.Key != a.Key || o.State != Pending) {
			return ErrConflict
		}
		w.passwords[a.Username] = initial
		if _, gone := w.retired[a.Username]; gone {
			w.t.Errorf("user name %s is given a second time", a.Username)
		}
		for _, o := range w.accounts {
			if o.Mail == a.Mail && o.Username != a.Username || slices.Contains(o.Aliases, a.Mail) {
				w.t.Errorf("address %s is given a second time", a.Mail)
			}
		}
		w.writes++
		w.accounts[a.Username] = clone(a)
		return nil
	})
}

func (w *world) ChangeAccount(ctx context.Context, before, after Account) error {
	return w.effect("change-account", func() error {
		live, ok := w.accounts[after.Username]
		if !ok {
			return ErrNotFound
		}
		if live.Key == after.Key && fingerprint(live) == fingerprint(after) {
			return nil
		}
		if fingerprint(live) != fingerprint(before) {
			return fmt.Errorf("%w: live %+v before %+v", ErrConflict, live, before)
		}
		if before.Mail != after.Mail && len(after.Former) == len(before.Former) || before.Key != after.Key {
			w.t.Errorf("address or key of %s changes by itself", after.Username)
		}
		if after.State == Deactivated && before.State == Leaving && after.Deactivated.Sub(after.NoticedOn) < 56 {
			w.t.Errorf("%s is deactivated %d days after the notice", after.Username, after.Deactivated.Sub(after.NoticedOn))
		}
		w.writes++
		w.accounts[after.Username] = clone(after)
		return nil
	})
}

func (w *world) PurgeAccount(ctx context.Context, a Account, today Date) error {
	return w.effect("purge-account", func() error {
		w.writes++
		delete(w.accounts, a.Username)
		w.retired[a.Username] = today
		w.retired[a.Mail] = today
		return nil
	})
}

func (w *world) EnsureContext(ctx context.Context, spec ContextSpec) error {
	return w.effect("ensure-context", func() error {
		if w.contexts[spec.ID] == nil {
			w.writes++
			w.contexts[spec.ID] = &worldContext{next: 3, users: map[string]worldUser{
				"oxadmin": {id: 2, spec: UserSpec{Username: "oxadmin", DisplayName: "Admin", MailEnabled: true}}}}
		}
		return nil
	})
}

func (w *world) User(ctx context.Context, c ContextID, username string) (Place, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		if err := w.fault(0, "read", false); err != nil {
			return Place{}, err
		}
	}
	x := w.contexts[c]
	if x == nil {
		return Place{}, fmt.Errorf("no context %d", c)
	}
	u, ok := x.users[username]
	if !ok {
		return Place{}, ErrNotFound
	}
	return place(c, u), nil
}

func place(c ContextID, u worldUser) Place {
	return Place{Context: c, UserID: u.id, Username: u.spec.Username, Mail: u.spec.Mail, DisplayName: u.spec.DisplayName,
		GivenName: u.spec.GivenName, FamilyName: u.spec.FamilyName, MailEnabled: u.spec.MailEnabled, Admin: u.id == 2}
}

func (w *world) add(c ContextID, u worldUser) (Place, error) {
	x := w.contexts[c]
	for n, o := range x.users {
		if strings.EqualFold(o.spec.DisplayName, u.spec.DisplayName) && n != u.spec.Username {
			w.t.Errorf("display name %q is used twice in context %d", u.spec.DisplayName, c)
			return Place{}, errors.New("the displayname is already used")
		}
	}
	u.id = x.next
	x.next++
	x.users[u.spec.Username] = u
	if limit := w.capacity[c]; limit > 0 && len(x.users) > limit {
		w.t.Errorf("context %d holds %d users, allowed are %d", c, len(x.users), limit)
	}
	w.writes++
	return place(c, u), nil
}

func (w *world) EnsureUser(ctx context.Context, c ContextID, spec UserSpec) (p Place, err error) {
	err = w.effect("ensure-user", func() error {
		x := w.contexts[c]
		if x == nil {
			return fmt.Errorf("no context %d", c)
		}
		u, ok := x.users[spec.Username]
		if !ok {
			p, err = w.add(c, worldUser{spec: spec, data: "data of " + spec.Username})
			return err
		}
		for n, o := range x.users {
			if n != spec.Username && strings.EqualFold(o.spec.DisplayName, spec.DisplayName) {
				w.t.Errorf("display name %q is given to %s, %s has it in context %d", spec.DisplayName, spec.Username, n, c)
			}
		}
		if spec.Access == "" { // left as it is
			spec.Access = u.spec.Access
		}
		if fingerprint(u.spec) != fingerprint(spec) {
			w.writes++
			u.spec = spec
			x.users[spec.Username] = u
		}
		p = place(c, u)
		return nil
	})
	return p, err
}

func (w *world) CopyUser(ctx context.Context, username string, from, to ContextID, spec UserSpec) (p Place, err error) {
	err = w.effect("copy-user", func() error {
		u, ok := w.contexts[from].users[username]
		if !ok {
			return ErrNotFound
		}
		if _, there := w.contexts[to].users[username]; there {
			return errors.New("user exists in destination")
		}
		u.spec = spec
		p, err = w.add(to, u)
		return err
	})
	return p, err
}

func (w *world) VerifyCopy(ctx context.Context, from, to Place) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.contexts[from.Context].users[from.Username].data != w.contexts[to.Context].users[to.Username].data {
		return errors.New("data differs")
	}
	return nil
}

func (w *world) DeleteUser(ctx context.Context, p Place) error {
	return w.effect("delete-user", func() error {
		u, ok := w.contexts[p.Context].users[p.Username]
		if !ok {
			return nil
		}
		if u.id != p.UserID {
			return ErrConflict
		}
		// The last copy of a living person must never go.
		a := w.accounts[p.Username]
		if a.Context == p.Context && a.State != Deactivated && !w.failedRestore {
			w.t.Errorf("the user of %s in its context %d is deleted", p.Username, p.Context)
		}
		if a.State != Deactivated {
			others := 0
			for c, x := range w.contexts {
				if _, ok := x.users[p.Username]; ok && c != p.Context {
					others++
				}
			}
			if others == 0 {
				w.t.Errorf("the last copy of %s, in context %d, is deleted", p.Username, p.Context)
			}
		}
		w.writes++
		delete(w.contexts[p.Context].users, p.Username)
		return nil
	})
}

func (w *world) EnsureMailbox(ctx context.Context, acc Account) error {
	return w.effect("ensure-mailbox", func() error {
		if !w.boxes[acc.Username] {
			w.writes++
			w.boxes[acc.Username] = true
		}
		return nil
	})
}

func (w *world) Disconnect(ctx context.Context, acc Account) error {
	return w.effect("disconnect", func() error { return nil })
}

func (w *world) RemoveMailbox(ctx context.Context, acc Account) error {
	return w.effect("remove-mailbox", func() error {
		if w.boxes[acc.Username] {
			w.writes++
			delete(w.boxes, acc.Username)
		}
		return nil
	})
}

func (w *world) Notify(ctx context.Context, n Notice) error {
	return w.effect("notify", func() error {
		w.writes++
		w.notices[n.ID]++
		return nil
	})
}

type worldJournal world

func (j *worldJournal) Append(e ...JournalEntry) error {
	w := (*world)(j)
	return w.effect("journal", func() error {
		w.journal = append(w.journal, e...)
		return nil
	})
}

func (j *worldJournal) Entries(yield func(JournalEntry) bool) error {
	for _, e := range j.journal {
		if !yield(e) {
			break
		}
	}
	return nil
}

// observe reads the world as ucs and ox would.
func (w *world) observe() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	var st State
	for _, n := range slices.Sorted(maps.Keys(w.accounts)) {
		st.Accounts = append(st.Accounts, clone(w.accounts[n]))
	}
	for c, x := range w.contexts {
		st.Contexts = append(st.Contexts, Context{ID: c, Name: fmt.Sprint("c", c), Users: len(x.users)})
		for _, u := range x.users {
			st.Places = append(st.Places, place(c, u))
		}
	}
	for n, d := range w.retired {
		st.Retired = append(st.Retired, RetiredName{n, d})
	}
	if h, err := ReadHistory((*worldJournal)(w)); err == nil {
		st.Leftovers = h.Leftovers()
	}
	return st
}

// sound checks what must hold for everybody after a complete run.
func (w *world) sound() {
	w.t.Helper()
	for _, a := range w.accounts {
		var in []ContextID
		for c, x := range w.contexts {
			if u, ok := x.users[a.Username]; ok {
				if u.data != "data of "+a.Username {
					w.t.Errorf("%s has lost data in context %d", a.Username, c)
				}
				if c != a.Previous.Context {
					in = append(in, c)
				}
			}
		}
		if !slices.Equal(in, []ContextID{a.Context}) {
			w.t.Errorf("%s (%s) shall be in context %d but is in %v", a.Username, a.State, a.Context, in)
		}
		if !w.boxes[a.Username] {
			w.t.Errorf("%s has no mailbox", a.Username)
		}
	}
}

var testPassword = func(Account) (Secret, error) { return "initial", nil }

// settle plans and applies once and returns the plan.
func (w *world) run(p Policy, d Delivery, now Date) *Plan {
	w.t.Helper()
	plan, err := NewPlan(p, w.observe(), d, now)
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, Parallel: 4})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range res.Outcomes {
		if o.Status != StatusDone {
			w.t.Errorf("%s: %s: %s", o.Step, o.Status, o.Error)
		}
	}
	return plan
}

func person(id, given, family string, role Role, ms ...Membership) Record {
	return Record{Key: RecordKey{"escada", id}, Role: role, GivenName: given, FamilyName: family, Memberships: ms}
}

func at(s SchoolID, l SchoolLevel) Membership { return Membership{School: s, Level: l} }

// ida is the only pupil of many of these stories.
func ida(l SchoolLevel) []Record {
	return []Record{person("1", "Ida", "Abel", RolePupil, at("ps-a", l))}
}

func planOf(t *testing.T, p Policy, w *world, rs []Record, now Date) *Plan {
	t.Helper()
	plan, err := NewPlan(p, w.observe(), delivery(rs), now)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// steps lists the ids of the steps and of what is held back.
func steps(plan *Plan) (do, held []string) {
	for _, s := range plan.Steps {
		do = append(do, s.ID)
	}
	for _, h := range plan.Held {
		held = append(held, h.Step.ID)
	}
	return do, held
}

func wantSteps(t *testing.T, plan *Plan, do, held []string) {
	t.Helper()
	if d, h := steps(plan); !slices.Equal(d, do) || !slices.Equal(h, held) {
		t.Errorf("steps %q, held back %q; want %q and %q", d, h, do, held)
	}
}
