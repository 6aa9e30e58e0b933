package site

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Kind says what was wrong with a question. The kinds are themselves errors, so
// that callers ask with [errors.Is].
type Kind string

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// Is reports whether the kind is a special case of the target: [ErrNobody] and
// [ErrNoAccount] match [schoolmail.ErrNotFound].
func (k Kind) Is(target error) bool {
	return (k == ErrNobody || k == ErrNoAccount) && target == schoolmail.ErrNotFound
}

// ErrNobody is the answer to a question about somebody who is neither delivered
// nor has an account.
const ErrNobody Kind = "nobody is called so: neither in the export nor in the directory"

// ErrNoAccount is the answer where only the directory is asked.
const ErrNoAccount Kind = "nobody in the directory is called so"

// Explanation is all that is known of one person: what answers a call to the help
// desk. It is full of personal data.
type Explanation struct {
	Day      schoolmail.Date
	Record   *schoolmail.Record     // as delivered; nil: not delivered
	Rows     []schoolmail.Rejection // rows of the person that could not be read
	Account  *schoolmail.Account    // nil: none
	Managed  bool                   // the account is one of those that schoolmail keeps
	Places   []schoolmail.Place     // users of that name in Open-Xchange
	Steps    []schoolmail.Step      // what would be done now
	Held     []schoolmail.Held      // what is not done, and why
	Findings []schoolmail.Finding
	Mailbox  []string                  // what the mail server has, a line each
	Books    []string                  // address books that list the person or let them read, a line each
	Holds    []schoolmail.Hold         // also those that are over
	History  []schoolmail.JournalEntry // the last effects on the person, oldest first
	AlsoTold []schoolmail.Recipient    // who is told with the person before the mailbox closes
	AtEnd    string                    // what is done with mail to the mailbox, as it is closed; "": nothing
	life     schoolmail.LifeTimes

	booksKnown bool
	source     string
}

// history is how many effects an explanation shows.
const history = 20

// Explain tells all that is known of a person, given by user name, mail address or
// record id. Several people who are meant are an error that names their user names or
// record ids; nobody is [ErrNobody]. The plan is one of the same world.
func (s *Site) Explain(ctx context.Context, w *World, plan *schoolmail.Plan, who string) (*Explanation, error) {
	e := &Explanation{Day: w.Day, life: s.policy.LifeCycle, source: s.policy.Source}
	if err := e.find(w, who); err != nil {
		return nil, fmt.Errorf("explain %q: %w", who, err)
	}
	key, name := e.key(), e.username()
	for _, h := range s.policy.Holds {
		if h.ID == key.ID && key.Source == e.source {
			e.Holds = append(e.Holds, h)
		}
	}
	for _, r := range w.Delivery.Rejected {
		if key.ID != "" && strings.EqualFold(r.Key.ID, key.ID) {
			e.Rows = append(e.Rows, r)
		}
	}
	for _, p := range w.State.Places {
		if name != "" && strings.EqualFold(p.Username, name) {
			e.Places = append(e.Places, p)
		}
	}
	mine := func(k schoolmail.RecordKey, subject string) bool {
		return k == key && key.ID != "" || subject != "" && subject == name
	}
	for _, st := range plan.Steps {
		if mine(st.Key, st.Subject) {
			e.Steps = append(e.Steps, st)
		}
	}
	for _, h := range plan.Held {
		if mine(h.Step.Key, h.Step.Subject) {
			e.Held = append(e.Held, h)
		}
	}
	for _, f := range slices.Concat(plan.Findings, w.Findings) {
		if f.Key == key && key.ID != "" {
			e.Findings = append(e.Findings, f)
		}
	}
	e.Mailbox = s.mailbox(ctx, e.Account)
	if e.Account != nil && e.Managed {
		var err error
		if e.AlsoTold, _, err = s.AlsoTold(ctx, w, e.Account, schoolmail.NoticeLeaving); err != nil {
			return nil, err
		}
		e.AtEnd = s.atEndNow(e.Account, w.Day)
	}
	e.Books, e.booksKnown = s.booksOf(w, e.Account), s.Books != nil
	return e, s.history(e, name)
}

// history adds the last effects on a person from the journal.
func (s *Site) history(e *Explanation, name string) error {
	if s.parts.Journal == nil {
		return nil
	}
	key := e.key()
	return s.parts.Journal.Entries(func(j schoolmail.JournalEntry) bool {
		if (j.Subject == name && name != "" || j.Subject == key.String() && key.ID != "") && j.Phase != schoolmail.Intent {
			if len(e.History) == history {
				e.History = slices.Delete(e.History, 0, 1)
			}
			e.History = append(e.History, j)
		}
		return true
	})
}

// find looks for the person's account and record.
func (e *Explanation) find(w *World, who string) error {
	who = strings.TrimSpace(who)
	var names []string
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		if strings.EqualFold(a.Username, who) || isKey(a.Key, who) || hasAddress(a, who) {
			e.Account, names = a, append(names, a.Username)
		}
	}
	if len(names) > 1 {
		return fmt.Errorf("%d accounts fit: %s", len(names), strings.Join(names, ", "))
	}
	id := who
	if e.Account != nil {
		e.Managed = e.Account.Key.Source == e.source
		id = e.Account.Key.ID
	}
	names = nil
	for i := range w.Delivery.Records {
		r := &w.Delivery.Records[i]
		if isKey(r.Key, id) && (e.Account == nil || r.Key.Source == e.Account.Key.Source) {
			e.Record, names = r, append(names, r.Key.ID)
		}
	}
	switch {
	case len(names) > 1:
		return fmt.Errorf("%d records fit: %s", len(names), strings.Join(names, ", "))
	case e.Record == nil && e.Account == nil:
		return ErrNobody
	}
	return nil
}

// isKey reports whether it is the key of whom somebody names by record id.
func isKey(k schoolmail.RecordKey, who string) bool {
	return k.ID != "" && (strings.EqualFold(k.ID, who) || strings.EqualFold(k.String(), who))
}

func hasAddress(a *schoolmail.Account, s string) bool {
	return strings.Contains(s, "@") && (strings.EqualFold(a.Mail, s) ||
		slices.ContainsFunc(a.Aliases, func(alias string) bool { return strings.EqualFold(alias, s) }))
}

func (e *Explanation) key() schoolmail.RecordKey {
	if e.Account != nil && e.Account.Key.ID != "" {
		return e.Account.Key
	}
	if e.Record != nil {
		return e.Record.Key
	}
	return schoolmail.RecordKey{}
}

func (e *Explanation) username() string {
	if e.Account == nil {
		return ""
	}
	return e.Account.Username
}

// WriteText writes the explanation for a terminal.
func (e *Explanation) WriteText(w io.Writer) error {
	t := &lines{w: w}
	e.writeRecord(t)
	e.writeAccount(t)
	e.writePlaces(t)
	t.section("Mailbox")
	for _, line := range e.Mailbox {
		t.item("%s", line)
	}
	t.none("not asked")
	if e.booksKnown {
		t.section("Address books")
		for _, line := range e.Books {
			t.item("%s", line)
		}
		t.none("in none")
	}
	e.writeHolds(t)
	t.section("What would be done now")
	for _, s := range e.Steps {
		t.item("%s: %s", s.Kind(), s.Reason)
	}
	t.none("nothing")
	if len(e.Held) > 0 {
		t.section("Held back")
		for _, h := range e.Held {
			t.item("%s (%s): %s%s", h.Step.Kind(), h.Step.Reason, h.Why, guardOf(h))
		}
	}
	if len(e.Findings) > 0 {
		t.section("To look at")
		for _, f := range e.Findings {
			t.item("%s: %s", f.Kind, f.Text)
		}
	}
	t.section("What was done last")
	for _, j := range e.History {
		t.item("%s %s %s%s", j.Time.Format("2006-01-02 15:04"), j.Effect, j.Phase, where(j))
	}
	t.none("nothing is on record")
	return t.err
}

func (e *Explanation) writeHolds(t *lines) {
	if len(e.Holds) == 0 {
		return
	}
	t.section("On hold")
	for _, h := range e.Holds {
		over := ""
		if h.Until < e.Day {
			over = ", which is over"
		}
		t.item("since %s until %s%s, by %s: %s", h.Since, h.Until, over, h.By, h.Reason)
	}
}

func guardOf(h schoolmail.Held) string {
	if h.Guard == "" {
		return ""
	}
	return " [guard " + h.Guard + "]"
}

func where(j schoolmail.JournalEntry) string {
	s := ""
	if j.To != 0 {
		s += fmt.Sprintf(" in context %d", j.To)
	}
	if j.By != "" {
		s += " by " + j.By
	}
	if j.Error != "" {
		s += ": " + j.Error
	}
	return s
}

func (e *Explanation) writeRecord(t *lines) {
	t.section("Export")
	if r := e.Record; r != nil {
		t.item("record %s: %s %s, %s", r.Key.ID, r.GivenName, r.FamilyName, r.Role)
		for _, m := range r.Memberships {
			t.item("%s", membership(m))
		}
	} else {
		t.item("not delivered")
	}
	for _, r := range e.Rows {
		t.item("unreadable, so the person counts as present: %s: %s", r.Position, r.Reason)
	}
}

func membership(m schoolmail.Membership) string {
	s := "school " + string(m.School)
	if len(m.Classes) > 0 {
		s += ", class " + strings.Join(m.Classes, ", ")
	}
	if m.Level != "" {
		s += ", level " + string(m.Level)
	}
	if !m.From.IsZero() {
		s += ", from " + m.From.String()
	}
	if !m.Until.IsZero() {
		s += ", until " + m.Until.String()
	}
	return s
}

func (e *Explanation) writeAccount(t *lines) {
	t.section("Account")
	a := e.Account
	if a == nil {
		t.item("none")
		return
	}
	t.item("%s: %s, %s", a.Username, a.DisplayName, cmp.Or(string(a.Role), "no role"))
	t.item("mail %s", cmp.Or(strings.Join(append([]string{a.Mail}, a.Aliases...), ", also "), "none"))
	for _, f := range a.Former {
		switch {
		case f.Mail != "":
			t.item("was %s; that address ends on %s", strings.TrimPrefix(f.Username+", "+f.Mail, ", "), f.Until)
		default:
			t.item("was %s", f.Username)
		}
		if !f.Told {
			t.item("the rename was cut off: the next run completes it")
		}
	}
	for _, m := range a.Memberships {
		t.item("%s", membership(m))
	}
	if !e.Managed {
		t.item("not made by schoolmail for this export: it is never touched")
		return
	}
	t.item("state: %s", e.lifeCycle())
	if a.Held {
		t.item("on hold: it is never touched")
	}
	if a.Context != 0 {
		t.item("lives in context %d", a.Context)
	}
	if p := a.Previous; p.Context != 0 {
		t.item("transferred on %s; the old copy in context %d may go from %s on", p.Since, p.Context,
			p.Since.AddDays(max(0, e.life.TransferGraceDays)))
	}
	for _, r := range e.AlsoTold {
		t.item("before the mailbox closes %s", also(r))
	}
	if e.AtEnd != "" {
		t.item("%s", e.AtEnd)
	}
	if a.DN != "" {
		t.item("in the directory: %s", a.DN)
	}
}

// also names somebody who is told with a person.
func also(r schoolmail.Recipient) string {
	who := strings.ReplaceAll(string(r.Relation), "-", " ")
	if r.Name != "" {
		who += " " + r.Name
	}
	return fmt.Sprintf("%s (%s) is told, too", who, r.Mail)
}

// lifeCycle says where an account is in its life and what follows when.
func (e *Explanation) lifeCycle() string {
	a := e.Account
	switch a.State {
	case schoolmail.Leaving:
		reminded := ""
		if !a.RemindedOn.IsZero() {
			reminded = fmt.Sprintf(", reminded on %s", a.RemindedOn)
		}
		return fmt.Sprintf("leaving, told on %s%s; closes on %s unless the record comes again", a.NoticedOn, reminded,
			a.NoticedOn.AddDays(e.life.NoticeDays))
	case schoolmail.Deactivated:
		return fmt.Sprintf("deactivated on %s; removed for ever on %s unless the record comes again",
			a.Deactivated, a.Deactivated.AddDays(e.life.PurgeDays))
	case schoolmail.Pending:
		return "pending: an interrupted run has not finished it"
	}
	return string(a.State)
}

func (e *Explanation) writePlaces(t *lines) {
	t.section("Open-Xchange")
	for _, p := range e.Places {
		mail := "mail on"
		if !p.MailEnabled {
			mail = "mail off"
		}
		old := ""
		if a := e.Account; a != nil && a.Context != p.Context {
			old = ", not where the account lives"
			if a.Previous.Context == p.Context {
				old = ", the old copy"
			}
		}
		t.item("context %d, user %d: %s, %s, %s%s", p.Context, p.UserID, p.DisplayName, p.Mail, mail, old)
	}
	t.none("no user")
}

// lines writes sections of items and keeps the first error.
type lines struct {
	w     io.Writer
	items int
	err   error
}

func (l *lines) printf(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format, args...)
	}
}

func (l *lines) section(title string) { l.items = 0; l.printf("%s\n", title) }

func (l *lines) item(format string, args ...any) {
	l.items++
	l.printf("  "+format+"\n", args...)
}

// none says what an empty section means.
func (l *lines) none(text string) {
	if l.items == 0 {
		l.item("%s", text)
	}
}
