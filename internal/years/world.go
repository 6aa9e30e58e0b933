package years

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// A World is a directory, an OX and a mail server in memory. It keeps the rules
// of the real ones, and counts as harm what must never be asked of it. It is
// not safe for concurrent use: plans are applied one person at a time.
type World struct {
	Harm Harm

	truth    *truth
	accounts map[string]schoolmail.Account
	owner    map[string]string // user name or address -> who has or had it
	retired  map[string]schoolmail.Date
	contexts map[schoolmail.ContextID]*box
	capacity map[schoolmail.ContextID]int
	mail     map[string]string // user name -> whose mail it is
	journal  []schoolmail.JournalEntry
	told     map[string]bool // user names of those who know that they leave, as the journal says
	today    schoolmail.Date
	changes  []change                   // of the last days
	broken   map[string]bool            // user names of those whose users in OX somebody has spoilt
	touched  map[string]schoolmail.Date // user names -> when OX last had to hear of a change of theirs
	grace    bool                       // old copies are kept for a while
	heads    []headcount                // of the last days

	Effects int // on the servers so far
	// fault is asked before and after each effect; an error is what the caller gets.
	fault func(what string, after bool) error
}

// box is an OX context.
type box struct {
	users map[string]user
	next  schoolmail.UserID
}

type user struct {
	id   schoolmail.UserID
	spec schoolmail.UserSpec
	data string // whose
}

var errCut = errors.New("the connection was cut")

func newWorld(p *schoolmail.Policy, t *truth) *World {
	w := &World{Harm: Harm{}, truth: t, accounts: map[string]schoolmail.Account{}, owner: map[string]string{},
		retired: map[string]schoolmail.Date{}, contexts: map[schoolmail.ContextID]*box{},
		capacity: map[schoolmail.ContextID]int{}, mail: map[string]string{}, told: map[string]bool{},
		broken: map[string]bool{}, touched: map[string]schoolmail.Date{}, grace: p.LifeCycle.TransferGraceDays > 0}
	for _, c := range p.Contexts {
		w.capacity[c.ID] = c.Capacity
	}
	return w
}

func (w *World) ports() schoolmail.Ports {
	return schoolmail.Ports{Directory: w, Groupware: w, Mailstore: w, Notifier: w, Journal: (*journal)(w)}
}

// effect does f between the two faults.
func (w *World) effect(what string, f func() error) error {
	if w.fault != nil {
		if err := w.fault(what, false); err != nil {
			return err
		}
	}
	w.Effects++
	if err := f(); err != nil {
		return err
	}
	if w.fault != nil {
		return w.fault(what, true)
	}
	return nil
}

func (w *World) look() error {
	if w.fault == nil {
		return nil
	}
	return w.fault("look", false)
}

func clone(a schoolmail.Account) schoolmail.Account {
	a.Aliases = slices.Clone(a.Aliases)
	a.Memberships = slices.Clone(a.Memberships)
	return a
}

// Account implements [schoolmail.Directory].
func (w *World) Account(_ context.Context, username string) (schoolmail.Account, error) {
	if err := w.look(); err != nil {
		return schoolmail.Account{}, err
	}
	a, ok := w.accounts[username]
	if !ok {
		return a, schoolmail.ErrNotFound
	}
	return clone(a), nil
}

// CreateAccount implements [schoolmail.Directory].
func (w *World) CreateAccount(_ context.Context, a schoolmail.Account, initial schoolmail.Secret) error {
	return w.effect("create-account", func() error {
		if o, ok := w.accounts[a.Username]; ok && o.Key != a.Key {
			return schoolmail.ErrConflict
		}
		who := w.truth.behind[a.Key]
		if _, there := w.accounts[a.Username]; !there {
			if initial == "" {
				w.Harm.add(NoPassword, a.Username)
			}
			w.truth.create(w, who, a)
		}
		w.take(a.Username, who)
		w.take(a.Mail, who)
		w.accounts[a.Username] = clone(a)
		return nil
	})
}

// take notes whose a name is for ever.
func (w *World) take(name, who string) {
	if o, had := w.owner[name]; had && o != who {
		w.Harm.add(NameAgain, name)
	}
	w.owner[name] = who
}

// ChangeAccount implements [schoolmail.Directory].
func (w *World) ChangeAccount(_ context.Context, before, after schoolmail.Account) error {
	return w.effect("change-account", func() error {
		live, ok := w.accounts[after.Username]
		switch {
		case !ok:
			return schoolmail.ErrNotFound
		case fingerprint(live) == fingerprint(after):
			return nil
		case fingerprint(live) != fingerprint(before):
			return fmt.Errorf("%w: account %s has changed", schoolmail.ErrConflict, after.Username)
		}
		if live.Held {
			w.Harm.add(HeldTouched, after.Username)
		}
		if before.Mail != after.Mail || before.Key != after.Key {
			w.Harm.add(NameChanged, after.Username)
		}
		w.truth.change(w, before, after)
		w.note(&before, &after)
		w.accounts[after.Username] = clone(after)
		return nil
	})
}

// PurgeAccount implements [schoolmail.Directory].
func (w *World) PurgeAccount(_ context.Context, a schoolmail.Account, today schoolmail.Date) error {
	return w.effect("purge-account", func() error {
		if live, ok := w.accounts[a.Username]; ok {
			if live.State != schoolmail.Deactivated || today.Sub(live.Deactivated) < purgeDays || live.Held {
				w.Harm.add(PurgedEarly, a.Username)
			}
			delete(w.accounts, a.Username)
		}
		w.retired[a.Username], w.retired[a.Mail] = today, today
		return nil
	})
}

// EnsureContext implements [schoolmail.Groupware].
func (w *World) EnsureContext(_ context.Context, spec schoolmail.ContextSpec) error {
	return w.effect("create-context", func() error {
		if w.contexts[spec.ID] == nil {
			w.contexts[spec.ID] = &box{next: 3, users: map[string]user{
				"oxadmin": {id: 2, spec: schoolmail.UserSpec{Username: "oxadmin", DisplayName: "Admin", MailEnabled: true}}}}
		}
		return nil
	})
}

func place(c schoolmail.ContextID, u user) schoolmail.Place {
	return schoolmail.Place{Context: c, UserID: u.id, Username: u.spec.Username, Mail: u.spec.Mail,
		DisplayName: u.spec.DisplayName, GivenName: u.spec.GivenName, FamilyName: u.spec.FamilyName,
		MailEnabled: u.spec.MailEnabled, Admin: u.id == 2}
}

// User implements [schoolmail.Groupware].
func (w *World) User(_ context.Context, c schoolmail.ContextID, username string) (schoolmail.Place, error) {
	if err := w.look(); err != nil {
		return schoolmail.Place{}, err
	}
	if w.contexts[c] == nil {
		return schoolmail.Place{}, fmt.Errorf("no context %d", c)
	}
	u, ok := w.contexts[c].users[username]
	if !ok {
		return schoolmail.Place{}, schoolmail.ErrNotFound
	}
	return place(c, u), nil
}

// add makes a user, unless somebody in the context has the display name.
func (w *World) add(c schoolmail.ContextID, u user) (schoolmail.Place, error) {
	x := w.contexts[c]
	for _, o := range x.users {
		if strings.EqualFold(o.spec.DisplayName, u.spec.DisplayName) {
			w.Harm.add(DisplayNameTwice, u.spec.Username)
			return schoolmail.Place{}, errors.New("the display name is used already")
		}
	}
	u.id = x.next
	x.next++
	x.users[u.spec.Username] = u
	if len(x.users) > w.capacity[c] {
		w.Harm.add(Overfull, fmt.Sprint("context ", c))
	}
	return place(c, u), nil
}

// EnsureUser implements [schoolmail.Groupware].
func (w *World) EnsureUser(_ context.Context, c schoolmail.ContextID,
	spec schoolmail.UserSpec) (p schoolmail.Place, err error) {
	err = w.effect("ensure-user", func() error {
		x := w.contexts[c]
		if x == nil {
			return fmt.Errorf("no context %d", c)
		}
		u, ok := x.users[spec.Username]
		w.repaired(spec.Username, !ok)
		if !ok {
			p, err = w.add(c, user{spec: spec, data: w.owner[spec.Username]})
			return err
		}
		if spec.Access == "" {
			spec.Access = u.spec.Access
		}
		u.spec = spec
		x.users[spec.Username] = u
		p = place(c, u)
		return nil
	})
	return p, err
}

// CopyUser implements [schoolmail.Groupware].
func (w *World) CopyUser(_ context.Context, username string, from, to schoolmail.ContextID,
	spec schoolmail.UserSpec) (p schoolmail.Place, err error) {
	made := false
	err = w.effect("copy-user", func() error {
		u, ok := w.contexts[from].users[username]
		if !ok {
			return schoolmail.ErrNotFound
		}
		if _, there := w.contexts[to].users[username]; there {
			return errors.New("the user exists in the destination")
		}
		u.spec = spec
		p, err = w.add(to, u)
		made = err == nil
		return err
	})
	if err != nil && made {
		return schoolmail.Place{}, fmt.Errorf("%w: %w", schoolmail.ErrLostAnswer, err)
	}
	return p, err
}

// VerifyCopy implements [schoolmail.Groupware].
func (w *World) VerifyCopy(_ context.Context, from, to schoolmail.Place) error {
	if err := w.look(); err != nil {
		return err
	}
	if w.contexts[from.Context].users[from.Username].data != w.contexts[to.Context].users[to.Username].data {
		return errors.New("the copy is not complete")
	}
	return nil
}

// DeleteUser implements [schoolmail.Groupware].
func (w *World) DeleteUser(_ context.Context, p schoolmail.Place) error {
	return w.effect("delete-user", func() error {
		u, ok := w.contexts[p.Context].users[p.Username]
		if !ok {
			return nil
		}
		if u.id != p.UserID {
			return schoolmail.ErrConflict
		}
		w.truth.deleteUser(w, p.Context, u)
		w.dropped(p.Context, p.Username)
		delete(w.contexts[p.Context].users, p.Username)
		return nil
	})
}

// EnsureMailbox implements [schoolmail.Mailstore].
func (w *World) EnsureMailbox(_ context.Context, acc schoolmail.Account) error {
	return w.effect("ensure-mailbox", func() error {
		if w.mail[acc.Username] == "" {
			w.mail[acc.Username] = w.owner[acc.Username]
		}
		return nil
	})
}

// Disconnect implements [schoolmail.Mailstore].
func (w *World) Disconnect(context.Context, schoolmail.Account) error {
	return w.effect("disconnect", func() error { return nil })
}

// RemoveMailbox implements [schoolmail.Mailstore].
func (w *World) RemoveMailbox(_ context.Context, acc schoolmail.Account) error {
	return w.effect("remove-mailbox", func() error {
		a, ok := w.accounts[acc.Username]
		if ok && (a.State != schoolmail.Deactivated || w.today.Sub(a.Deactivated) < purgeDays) {
			w.Harm.add(MailLost, acc.Username)
		}
		delete(w.mail, acc.Username)
		return nil
	})
}

// Notify implements [schoolmail.Notifier].
func (w *World) Notify(_ context.Context, n schoolmail.Notice) error {
	return w.effect("notify", func() error {
		if n.Kind == schoolmail.NoticeLeaving && w.told[n.Account.Username] {
			w.Harm.add(ToldTwice, fmt.Sprint(w.today, " ", n.Account.Username))
		}
		if n.Kind == schoolmail.NoticeLeaving {
			w.truth.notice(w, n.Account)
		}
		return nil
	})
}

type journal World

// Append implements [schoolmail.Journal].
func (j *journal) Append(entries ...schoolmail.JournalEntry) error {
	w := (*World)(j)
	if w.fault != nil {
		if err := w.fault("journal", false); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if e.Effect == "send-notice" && e.Phase == schoolmail.Done {
			w.told[e.Subject] = !strings.HasPrefix(e.Step, string(schoolmail.KindCancelNotice))
		}
	}
	w.journal = append(w.journal, entries...)
	return nil
}

// Entries implements [schoolmail.Journal].
func (j *journal) Entries(yield func(schoolmail.JournalEntry) bool) error {
	for _, e := range j.journal {
		if !yield(e) {
			break
		}
	}
	return nil
}

// forget drops the entries of finished plans, but for copies that nothing became
// of and the last notices, as a journal that was closed and begun anew.
func (w *World) forget() {
	if n := len(w.journal); n > 0 && w.journal[n-1].Effect == "plan" && w.journal[n-1].Phase == schoolmail.Done {
		open := map[string]schoolmail.JournalEntry{} // copies that were begun and neither switched to nor removed
		for _, e := range w.journal {
			id := fmt.Sprint(e.Subject, " ", e.To)
			switch {
			case e.Effect == "copy-user" && e.Phase != schoolmail.Failed:
				open[id] = e
			case e.Effect == "copy-user", e.Phase == schoolmail.Done && e.To != 0:
				delete(open, id)
			}
		}
		told := slices.DeleteFunc(slices.Clone(w.journal), func(e schoolmail.JournalEntry) bool {
			return !strings.HasSuffix(e.Effect, "-notice")
		})
		w.journal = append(w.journal[:0], told[max(0, len(told)-200):]...)
		for _, id := range slices.Sorted(maps.Keys(open)) {
			w.journal = append(w.journal, open[id])
		}
	}
}

// observe reads everything as a run does.
func (w *World) observe() schoolmail.State {
	var st schoolmail.State
	for _, n := range slices.Sorted(maps.Keys(w.accounts)) {
		st.Accounts = append(st.Accounts, clone(w.accounts[n]))
	}
	for _, c := range slices.Sorted(maps.Keys(w.contexts)) {
		x := w.contexts[c]
		st.Contexts = append(st.Contexts, schoolmail.Context{ID: c, Name: fmt.Sprint("c", c), Users: len(x.users)})
		for _, n := range slices.Sorted(maps.Keys(x.users)) {
			st.Places = append(st.Places, place(c, x.users[n]))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(w.retired)) {
		st.Retired = append(st.Retired, schoolmail.RetiredName{Name: n, Since: w.retired[n]})
	}
	return st
}
