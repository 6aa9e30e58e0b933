package schoolmail

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// The effects under which the journal has what others depend on.
const (
	effectPlan     = "plan"     // a plan as a whole
	effectOverride = "override" // of a plan: what it let through, on whose word
	effectStep     = "step"     // all of a step is done
	effectCreate   = "create-account"
	effectActivate = "activate-account"
	effectCopy     = "copy-user"
	effectDiscard  = "discard-copy"
	effectSwitch   = "switch-directory"
	effectNotify   = "send-notice"
	effectNoticed  = "record-notice"
	effectReminded = "record-reminder"
	effectCleared  = "clear-notice"

	effectReactivate = "reactivate-account"
	effectPurge      = "purge-account"
	effectRename     = "rename-account" // the directory has the new names
	effectRenamed    = "record-rename"  // and all has followed
	effectForget     = "forget"         // what names a person who was purged is gone
)

// History is what a journal knows, read once from its beginning to its end.
type History struct {
	empty bool
	last  time.Time
	plans map[string]*planHistory // by id
	// copies that were begun and neither switched to nor discarded.
	copies copies
	told   map[toldKey]time.Time // when people were told what still holds
	made   map[string]bool       // user names of accounts that were made to the end
	purged map[string]string     // by record: user names of accounts that are gone for ever
}

// planHistory is what became of a plan.
type planHistory struct {
	at    time.Time       // of its last beginning or end
	open  bool            // begun and not ended
	ended bool            // was ended once; the world may have been set back since
	done  map[string]bool // steps, while it is open
	begun map[string]bool // steps that began to make an account, while it is open
}

// NewHistory returns that of a journal without entries.
func NewHistory() *History {
	return &History{empty: true, plans: map[string]*planHistory{}, copies: copies{}, told: map[toldKey]time.Time{},
		made: map[string]bool{}, purged: map[string]string{}}
}

// ReadHistory reads a journal.
func ReadHistory(j Journal) (*History, error) {
	h := NewHistory()
	err := j.Entries(func(e JournalEntry) bool {
		h.See(&e)
		return true
	})
	return h, err
}

// See takes the next entry into account.
func (h *History) See(e *JournalEntry) {
	h.empty = false
	if e.Time.After(h.last) {
		h.last = e.Time
	}
	h.copies.see(e)
	done := e.Phase == Done
	switch {
	case e.Effect == effectPlan:
		h.plan(e)
	case e.Effect == effectStep && done:
		h.of(e.Plan).done[e.Step] = true
	case e.Effect == effectCreate && e.Phase == Intent:
		h.of(e.Plan).begun[e.Step] = true
		delete(h.purged, keyOf(e.Step))
	case e.Effect == effectPurge && done:
		h.purged[keyOf(e.Step)] = e.Subject
	case e.Effect == effectForget && done:
		delete(h.purged, keyOf(e.Step))
	case e.Effect == effectActivate && done:
		h.made[e.Subject] = true
	case e.Effect == effectNotify && done:
		kind, key, _ := strings.Cut(e.Step, ":")
		tells := noticeOf[Kind(kind)]
		for _, void := range tells.voids {
			delete(h.told, toldKey{void, key})
		}
		h.told[toldKey{tells.kind, key}] = e.Time
	case e.Effect == effectRename && done: // of another rename the person was told nothing yet
		delete(h.told, toldKey{NoticeRenamed, keyOf(e.Step)})
	case e.Effect == effectReactivate && done:
		delete(h.told, toldKey{NoticeLeaving, keyOf(e.Step)})
		delete(h.told, toldKey{NoticeReminder, keyOf(e.Step)})
	}
}

// noticeOf says what the steps of a kind tell, and what holds no more from then on.
var noticeOf = map[Kind]struct {
	kind  NoticeKind
	voids []NoticeKind
}{
	KindNotice:       {NoticeLeaving, []NoticeKind{NoticeReminder, NoticeCancelled}},
	KindRemind:       {NoticeReminder, nil},
	KindCancelNotice: {NoticeCancelled, []NoticeKind{NoticeLeaving, NoticeReminder}},
	KindRename:       {NoticeRenamed, nil},
}

// toldKey says what who was told.
type toldKey struct {
	kind NoticeKind
	key  string // of the record
}

// keyOf returns the record that a step is about.
func keyOf(step string) string {
	_, key, _ := strings.Cut(step, ":")
	return key
}

func (h *History) of(plan string) *planHistory {
	p := h.plans[plan]
	if p == nil {
		p = &planHistory{done: map[string]bool{}, begun: map[string]bool{}}
		h.plans[plan] = p
	}
	return p
}

func (h *History) plan(e *JournalEntry) {
	p := h.of(e.Plan)
	p.at, p.open = e.Time, e.Phase == Intent
	if e.Phase == Done {
		p.ended = true
		clear(p.done)
		clear(p.begun)
	}
}

// How long a journal remembers, in days: which plans were applied here, for an undo;
// and what people were told.
const (
	plansKept = 400
	toldKept  = 2 * DefaultNoticeDays
)

// Needed returns the entries from which a new journal may begin, so that what it
// proves and forbids stays the same.
func (h *History) Needed() []JournalEntry {
	var list []JournalEntry
	old := func(t time.Time, days int) bool {
		return !t.IsZero() && h.last.Sub(t) > time.Duration(days)*24*time.Hour
	}
	for _, id := range slices.Sorted(maps.Keys(h.plans)) {
		p := h.plans[id]
		if p.ended && !old(p.at, plansKept) {
			list = append(list, JournalEntry{Time: p.at, Plan: id, Effect: effectPlan, Phase: Done})
		}
		if !p.open {
			continue
		}
		list = append(list, JournalEntry{Time: p.at, Plan: id, Effect: effectPlan, Phase: Intent})
		for _, s := range slices.Sorted(maps.Keys(p.begun)) {
			list = append(list, JournalEntry{Time: p.at, Plan: id, Step: s, Effect: effectCreate, Phase: Intent})
		}
		for _, s := range slices.Sorted(maps.Keys(p.done)) {
			list = append(list, JournalEntry{Time: p.at, Plan: id, Step: s, Effect: effectStep, Phase: Done})
		}
	}
	for _, k := range h.copies.sorted() {
		e := JournalEntry{Time: h.last, Effect: effectCopy, Phase: Intent, Subject: k.username, To: k.to}
		if p := h.copies[k]; p.ended {
			e.Phase, e.UserID = Done, p.userID
		}
		list = append(list, e)
	}
	for _, k := range slices.Sorted(maps.Keys(h.purged)) {
		list = append(list, JournalEntry{Time: h.last, Step: string(KindPurge) + ":" + k, Effect: effectPurge, Phase: Done,
			Subject: h.purged[k]})
	}
	for _, k := range slices.SortedFunc(maps.Keys(h.told), func(x, y toldKey) int {
		return cmp.Or(strings.Compare(x.key, y.key), strings.Compare(string(x.kind), string(y.kind)))
	}) {
		var kind Kind
		for step, tells := range noticeOf {
			if tells.kind == k.kind {
				kind = step
			}
		}
		if t := h.told[k]; !old(t, toldKept) {
			list = append(list, JournalEntry{Time: t, Step: string(kind) + ":" + k.key, Effect: effectNotify, Phase: Done})
		}
	}
	if !h.empty { // how far the journal has come
		list = append(list, JournalEntry{Time: h.last, Effect: "carried", Phase: Done})
	}
	return list
}

// Empty reports whether the journal has no entries.
func (h *History) Empty() bool { return h.empty }

// Last returns the latest time of an entry.
func (h *History) Last() time.Time { return h.last }

// Applied reports whether a plan was begun, to its end or not.
func (h *History) Applied(plan string) bool { return h.plans[plan] != nil }

// Begun reports whether a plan was begun and not ended.
func (h *History) Begun(plan string) bool { return h.plans[plan] != nil && h.plans[plan].open }

// Made reports whether an account was made, to its end, by a step of a plan.
func (h *History) Made(username string) bool { return h.made[username] }

// Purged returns the user names of accounts that were removed for ever and whose
// people are still named in what is kept, by their records' keys, "source/id". An
// entry with the effect "forget" says that they are not.
func (h *History) Purged() map[string]string { return maps.Clone(h.purged) }

// Copying reports whether a copy was begun whose end is not on record: a server may
// still be at work on it.
func (h *History) Copying() bool {
	for _, p := range h.copies {
		if !p.ended {
			return true
		}
	}
	return false
}

// Leftovers returns the copies that were begun and neither became the person's
// place nor were taken away: the part of a [State] that no server knows.
func (h *History) Leftovers() []Leftover {
	var list []Leftover
	for _, k := range h.copies.sorted() {
		list = append(list, Leftover{Username: k.username, Context: k.to, UserID: h.copies[k].userID})
	}
	return list
}

type copyKey struct {
	username string
	to       ContextID
}

// copies are those that are proved ours.
type copies map[copyKey]copyProof

type copyProof struct {
	userID UserID // of the copy; 0: the answer was lost
	ended  bool   // how the copy ended is on record
}

// see takes an entry into account.
func (c copies) see(e *JournalEntry) {
	k := copyKey{e.Subject, e.To}
	switch {
	case e.Effect == effectCopy && e.Phase == Intent:
		c[k] = copyProof{}
	case e.Effect == effectCopy && e.Phase == Done:
		c[k] = copyProof{userID: e.UserID, ended: true}
	case e.Effect == effectCopy && e.Phase == Failed, // refused
		e.Effect == effectCopy && e.Phase == Abandoned, // looked afterwards: nobody there
		e.Effect == effectDiscard && e.Phase == Done,
		e.Effect == effectSwitch && e.Phase == Done:
		delete(c, k)
	}
}

// sorted returns the keys in the order of user names and contexts.
func (c copies) sorted() []copyKey {
	return slices.SortedFunc(maps.Keys(c), func(x, y copyKey) int {
		return cmp.Or(strings.Compare(x.username, y.username), cmp.Compare(x.to, y.to))
	})
}

// fits reports whether a user can be the copy that is proved.
func (p copyProof) fits(src, there Place, a *Account) bool {
	if p.userID != 0 {
		return p.userID == there.UserID
	}
	return alike(src, there, a)
}

// alike reports whether a user can be the copy of another for an account: OX copies names
// and addresses, which are then set as the account has them. It is asked when the
// journal proves that a copy was begun but not which id it got.
func alike(src, dst Place, a *Account) bool {
	as := func(username, mail, name string) bool {
		return dst.Username == username && strings.EqualFold(dst.Mail, mail) && dst.DisplayName == name
	}
	return as(src.Username, src.Mail, src.DisplayName) || as(a.Username, a.Mail, a.DisplayName)
}

// Forgotten is the entry that says of a person who was purged that nothing that is
// kept names them any more; key is one of [History.Purged].
func Forgotten(key string) JournalEntry {
	return JournalEntry{Step: string(KindPurge) + ":" + key, Effect: effectForget, Phase: Done, Subject: key}
}
