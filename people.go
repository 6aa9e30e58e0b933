package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// people walks over all keys in order and decides about each person.
func (b *builder) people() {
	keys := make([]RecordKey, 0, len(b.records)+len(b.accounts))
	for k := range b.records {
		keys = append(keys, k)
	}
	for k := range b.accounts {
		if b.records[k] == nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, RecordKey.Compare)
	b.oldCopies()
	var newcomers []RecordKey
	for _, k := range keys {
		switch a, r := b.accounts[k], b.records[k]; {
		case a == nil:
			newcomers = append(newcomers, k)
		case a.Held:
		case b.doubts[k] != "":
			b.doubted(a, r)
		case r != nil && b.here(r):
			b.present(a, r)
		default:
			b.absent(a, r != nil)
		}
	}
	// Newcomers come last, so that they take no name from anybody.
	for _, k := range newcomers {
		b.newcomer(b.records[k])
	}
	if e := b.early; e.coming > 0 {
		b.find("not-yet-here", "%s in the export will be at a school later, first on %s: no account is made before", people(e.coming), e.first)
	}
	if e := b.early; e.gone > 0 {
		b.find("no-longer-here", "%s in the export whose time at school is over never had an account: none is made", people(e.gone))
	}
	b.leftovers()
	b.guards()
}

// here reports whether a person is at some school today or later. A gap between
// two memberships, such as the summer holidays, is no departure.
func (b *builder) here(r *Record) bool {
	return slices.ContainsFunc(r.Memberships, func(m Membership) bool { return m.Until.IsZero() || b.now <= m.Until })
}

// current returns the memberships of today; for somebody who is between two
// schools those that come next.
func (b *builder) current(r *Record) []Membership {
	var today, later []Membership
	for _, m := range r.Memberships {
		switch {
		case m.On(b.now):
			today = append(today, m)
		case m.From > b.now:
			later = append(later, m)
		}
	}
	if len(today) > 0 {
		return today
	}
	return later
}

// newcomer plans an account for a record that has none.
func (b *builder) newcomer(r *Record) {
	if !slices.ContainsFunc(r.Memberships, func(m Membership) bool { return m.On(b.now) }) {
		b.early.see(r, b.now)
		return
	}
	if b.shielded[r.Key] != "" {
		return
	}
	ms := b.current(r)
	pop := b.policy.population(r.Role, ms)
	if pop == nil {
		b.noPopulation(r)
		return
	}
	limit := b.policy.Naming.MaxUsername
	if r.Role == RolePupil {
		limit = b.policy.Naming.MaxPupilUsername
	}
	if why := b.doubts[r.Key]; why != "" {
		a := Account{Key: r.Key, State: Active, Access: pop.Access, Username: usernameBase(r.GivenName, r.FamilyName, limit)}
		b.want(&a, r, ms)
		b.hold(b.step(KindCreate, &a, newcomerReason(&a), CreateAccount{Account: a, Access: pop.Access}), guardIdentity, why)
		return
	}
	username := b.names.username(usernameBase(r.GivenName, r.FamilyName, limit), limit)
	a := Account{
		Key: r.Key, Username: username, State: Active, Made: b.now,
		Mail: b.names.address(addressBase(r.GivenName, r.FamilyName), pop.Domain),
	}
	a.Access = pop.Access
	b.want(&a, r, ms)
	b.seek(seeker{acc: a, access: pop.Access, reason: newcomerReason(&a)}, pop)
}

func newcomerReason(a *Account) string {
	return fmt.Sprintf("%s at %s, first appears in the delivery", a.Role, schoolsOf(a.Memberships))
}

// doubted holds what would be done about an account of which it is not certain
// whether the record is its person's, or whether the person came under a new id.
func (b *builder) doubted(a *Account, r *Record) {
	why := b.doubts[a.Key]
	switch {
	case r != nil && b.here(r):
		w := *a
		b.want(&w, r, b.current(r))
		b.hold(b.change(*a, w, changes(a, &w), ""), guardIdentity, why)
	case a.State == Active:
		b.hold(b.notice(a), guardIdentity, why)
	}
}

// early counts people without an account who are at no school today.
type early struct {
	coming, gone int
	first        Date // day on which the first of them come
}

func (e *early) see(r *Record, now Date) {
	first := Date(0)
	for _, m := range r.Memberships {
		if m.From > now && (first.IsZero() || m.From < first) {
			first = m.From
		}
	}
	if first.IsZero() {
		e.gone++
		return
	}
	if e.coming++; e.first.IsZero() || first < e.first {
		e.first = first
	}
}

func people(n int) string {
	return fmt.Sprintf("%d %s", n, [2]string{"person", "people"}[plural(n)])
}

func (b *builder) noPopulation(r *Record) {
	f := b.find("no-population", "record %s: no population of the policy takes the role %s at %s; the person is left alone", r.Key.ID, r.Role, schoolsOf(b.current(r)))
	f.Key = r.Key
}

// want fills in what the record says.
func (b *builder) want(a *Account, r *Record, ms []Membership) {
	a.Role = r.Role
	a.GivenName, a.FamilyName = cleanName(r.GivenName), cleanName(r.FamilyName)
	a.Phone, a.NoticeMail = r.Phone, r.NoticeMail
	if r.Role == RolePupil {
		a.Phone = "" // data protection: of pupils only name and address are kept
	}
	if r.Language != "" {
		a.Language = r.Language
	}
	a.Traits = Traits{cmp.Or(r.Traits.Birth, a.Traits.Birth), cmp.Or(r.Traits.Number, a.Traits.Number)}
	a.Memberships = make([]Membership, 0, len(ms))
	for _, m := range ms {
		cs := slices.Clone(m.Classes)
		slices.Sort(cs)
		a.Memberships = append(a.Memberships, Membership{School: m.School, Classes: slices.Compact(cs)})
	}
	slices.SortFunc(a.Memberships, func(x, y Membership) int { return strings.Compare(string(x.School), string(y.School)) })

	// Display names are unique, because OX wants them so within a context and
	// people move. Whoever has a name keeps it; the next one gets the user name
	// behind it and keeps that.
	plain := cleanName(r.GivenName + " " + r.FamilyName)
	marked := plain + " (" + a.Username + ")"
	if owner, taken := b.display[foldName(plain)]; a.DisplayName == marked || taken && owner != a.Username {
		a.DisplayName = marked
	} else {
		a.DisplayName = plain
	}
	if b.doubts[r.Key] == "" {
		b.display[foldName(a.DisplayName)] = a.Username
	}
}

// uncertain returns why the record of somebody who is delivered may lack a
// membership, or "": an unreadable row without a key may have been theirs.
func (b *builder) uncertain(a *Account, more []Membership) string {
	if b.lost != "" {
		return b.lost
	}
	for _, m := range slices.Concat(a.Memberships, more) {
		if why := b.schools[m.School]; why != "" {
			return why
		}
		if b.lostAt[m.School] {
			return "an unreadable row of school " + string(m.School) + " may be about the person"
		}
	}
	return ""
}

// union merges two lists of memberships that are sorted by school.
func union(x, y []Membership) []Membership {
	var out []Membership
	for _, m := range slices.Concat(x, y) {
		if i := slices.IndexFunc(out, func(o Membership) bool { return o.School == m.School }); i >= 0 {
			cs := slices.Concat(out[i].Classes, m.Classes)
			slices.Sort(cs)
			out[i].Classes = slices.Compact(cs)
		} else {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b Membership) int { return strings.Compare(string(a.School), string(b.School)) })
	return out
}

// present plans for somebody who has an account and is delivered.
func (b *builder) present(a *Account, r *Record) {
	ms := b.current(r)
	pop := b.policy.population(r.Role, ms)
	if pop == nil {
		b.noPopulation(r)
		b.dropOld(a, false)
		return
	}
	if a.Mail == "" {
		b.find("no-address", "account %s has no mail address: it is left alone", a.Username).Key = a.Key
		return
	}
	cur := *a
	var chain []Step
	switch a.State {
	case Pending:
		w := cur
		b.want(&w, r, ms)
		w.State, w.Access = Active, pop.Access
		s := seeker{acc: w, before: a, access: pop.Access, resume: true, reason: "an earlier run was interrupted while it made the account"}
		switch p := b.placeAt(a.Username, a.Context); {
		case p == nil:
		case slices.Contains(pop.Contexts, a.Context):
			s.place, s.pin = p, a.Context
		case a.Previous.Context == 0:
			// It is not finished where it does not belong: the user that was made
			// there, still empty, becomes an old copy.
			s.acc.Previous = Previous{Context: p.Context, UserID: p.UserID, Since: b.now}
		}
		b.seek(s, pop)
		return
	case Active:
	case Leaving:
		next := cur
		next.State, next.NoticedOn = Active, 0
		chain = append(chain, b.step(KindCancelNotice, &cur, "the record is delivered again", CancelNotice{Before: cur, After: next}))
		cur = next
	case Deactivated:
		next := cur
		next.State, next.NoticedOn, next.Deactivated, next.Access = Active, 0, 0, pop.Access
		chain = append(chain, b.step(KindReactivate, &cur, "the record is delivered again", Reactivate{Before: cur, After: next, Access: pop.Access}))
		cur = next
	default:
		b.find("unknown-state", "account %s has the state %q, which schoolmail does not know: it is left alone", a.Username, a.State)
		return
	}
	w := cur
	b.want(&w, r, ms)
	place := b.placeAt(a.Username, a.Context)
	allowed := slices.Contains(pop.Contexts, a.Context)
	access := pop.Access
	if why := b.uncertain(a, ms); why != "" {
		// One of the person's rows may be among those lost: nothing is taken away.
		w.Memberships = union(cur.Memberships, w.Memberships)
		access = cmp.Or(cur.Access, access)
		if !allowed && place != nil {
			b.find("move-suspended", "%s would move from context %d, now %s; but %s", a.Username, a.Context, pop.Name, why).Key = a.Key
			wider := *pop
			wider.Contexts = append(slices.Clone(pop.Contexts), a.Context)
			pop, allowed = &wider, true
		}
	}
	// Where it is not known what was given it stays so, and the access of a new
	// population waits for its context.
	if cur.Access != "" && (place == nil || allowed) {
		w.Access = access
	}
	fields := changes(&cur, &w)
	if len(fields) > 0 {
		w.Marks = b.marked(&ChangeAccount{Before: cur, After: w, Fields: fields})
	}

	if b.lastCopy(a) != nil {
		b.restore(cur, chain, cmp.Or(cur.Access, pop.Access), pop)
		return
	}
	if place == nil || !allowed {
		// A copy needs a source; without one the person gets a new place.
		s := seeker{before: &cur, place: place, access: access, step: chain}
		switch {
		case allowed:
			s.pin = a.Context
			s.reason = fmt.Sprintf("the user is missing in context %d", a.Context)
			b.find("missing-user", "%s has an account but no user in context %d: it is made anew, empty", a.Username, a.Context)
		case place == nil:
			s.reason = fmt.Sprintf("now %s, has no place in OX yet", pop.Name)
		default:
			s.reason = fmt.Sprintf("now %s at %s", pop.Name, schoolsOf(w.Memberships))
		}
		// A user of this name in another context is a copy that an interrupted
		// run left there, if it looks like one; or somebody else's, who is left alone.
		free := *pop
		free.Contexts = slices.Clone(pop.Contexts)
		for _, p := range b.places[a.Username] {
			switch {
			case p.Context == a.Context || p.Context == a.Previous.Context || !slices.Contains(pop.Contexts, p.Context):
			case place != nil && strings.EqualFold(p.Mail, place.Mail) && p.DisplayName == place.DisplayName:
				s.pin = p.Context
			default:
				free.Contexts = slices.DeleteFunc(free.Contexts, func(c ContextID) bool { return c == p.Context })
			}
		}
		pop = &free
		if place != nil {
			if slices.Contains(fields, "role") {
				// A role and the place that goes with it change together or not at all.
				s.acc = w
				b.dropCopy(&s, false)
				w.Previous = s.before.Previous
				s.with = []Step{b.change(*s.before, w, fields, "")}
				s.before = &w
				b.seek(s, pop)
				return
			}
			if len(fields) > 0 {
				s.step = append(s.step, b.change(cur, w, fields, ""))
				s.before = &w
			}
		} else {
			s.fields = fields
		}
		s.acc = w
		b.dropCopy(&s, false)
		b.seek(s, pop)
		return
	}
	if len(fields) > 0 {
		chain = append(chain, b.change(cur, w, fields, access))
	}
	inOX := slices.ContainsFunc(fields, func(f string) bool { return oxFields[f] }) || a.State == Deactivated
	if d := differs(place, &w); d != "" && !inOX {
		chain = append(chain, b.step(KindRepair, &w, "in OX "+d+" not as in the directory", RepairPlace{Account: w, Access: access}))
	}
	b.steps = append(b.steps, chain...)
	if b.policy.context(a.Context) == nil {
		return // a move that is suspended; nobody else can be meant
	}
	s := seeker{before: &w, acc: w}
	b.dropCopy(&s, false)
	b.frees = append(b.frees, s.step...)
	s.step = nil
	s.place, s.access, s.reason = place, access, fmt.Sprintf("context %d is over its capacity", a.Context)
	b.seek(s, pop)
}

func (b *builder) change(before, after Account, fields []string, access string) Step {
	s := b.step(KindChange, &after, changeReason(&before, &after, fields), ChangeAccount{Before: before, After: after, Fields: fields, Access: access})
	return s
}

func changeReason(before, after *Account, fields []string) string {
	var parts []string
	for _, f := range fields {
		switch f {
		case "memberships":
			parts = append(parts, fmt.Sprintf("from %s to %s", schoolsOf(before.Memberships), schoolsOf(after.Memberships)))
		case "access":
			parts = append(parts, fmt.Sprintf("access from %s to %s", before.Access, after.Access))
		case "role":
			parts = append(parts, fmt.Sprintf("from %s to %s", before.Role, after.Role))
		default:
			parts = append(parts, strings.ReplaceAll(f, "_", " ")+" changed")
		}
	}
	return strings.Join(parts, ", ")
}

// differs says what of a place is not as the account wants it.
func differs(p *Place, a *Account) string {
	var d []string
	if p.DisplayName != a.DisplayName {
		d = append(d, "display name")
	}
	if p.GivenName != a.GivenName || p.FamilyName != a.FamilyName {
		d = append(d, "name")
	}
	if !strings.EqualFold(p.Mail, a.Mail) {
		d = append(d, "mail address")
	}
	if p.MailEnabled != (a.State != Deactivated) {
		d = append(d, "mail switch")
	}
	if len(d) == 0 {
		return ""
	}
	if len(d) == 1 {
		return d[0] + " is"
	}
	return strings.Join(d, ", ") + " are"
}

// absent plans for somebody who has an account and is gone: not delivered, or
// delivered with memberships that have all ended, which counts in every delivery.
func (b *builder) absent(a *Account, ended bool) {
	b.dropOld(a, false)
	shield := b.shield(a)
	if ended {
		if shield = b.shielded[a.Key]; shield == "" {
			shield = b.uncertain(a, nil)
		}
	}
	if a.State == Deactivated && shield == "" {
		if b.now >= a.Deactivated.AddDays(b.policy.LifeCycle.PurgeDays) && !a.Deactivated.IsZero() {
			b.dropOld(a, true) // no copy outlives the account
			act := Purge{Account: *a}
			if p := b.placeAt(a.Username, a.Context); p != nil {
				act.UserID = p.UserID
			}
			s := b.step(KindPurge, a, fmt.Sprintf("deactivated since %s", a.Deactivated), act)
			s.Destructive = true
			b.limited["purges"] = append(b.limited["purges"], s)
		}
		return
	}
	if shield != "" {
		if shield != b.absence && a.State == Active && b.shielded[a.Key] == "" {
			b.hold(b.notice(a), "", shield)
		}
		return
	}
	switch a.State {
	case Active:
		b.limited["leavers"] = append(b.limited["leavers"], b.notice(a))
	case Leaving:
		due := a.NoticedOn.AddDays(b.policy.LifeCycle.NoticeDays)
		switch {
		case a.NoticedOn.IsZero():
			b.find("no-notice-date", "account %s is leaving without a recorded notice: it is left alone", a.Username)
		case b.now >= due:
			next := *a
			next.State, next.Deactivated = Deactivated, b.now
			s := b.step(KindDeactivate, a, fmt.Sprintf("notice of %s, %d days ago", a.NoticedOn, b.now.Sub(a.NoticedOn)), Deactivate{Before: *a, After: next})
			s.Destructive = true
			b.limited["deactivations"] = append(b.limited["deactivations"], s)
		}
	case Pending:
		b.find("pending-without-record", "account %s was never completed and its record is gone: it is left alone", a.Username)
	case Deactivated:
	default:
		b.find("unknown-state", "account %s has the state %q, which schoolmail does not know: it is left alone", a.Username, a.State)
	}
}

func (b *builder) notice(a *Account) Step {
	next := *a
	next.State, next.NoticedOn = Leaving, b.now
	due := b.now.AddDays(b.policy.LifeCycle.NoticeDays)
	return b.step(KindNotice, a, fmt.Sprintf("no longer delivered by %s; the mailbox closes on %s", schoolsOf(a.Memberships), due),
		SendNotice{Before: *a, After: next, Due: due})
}

func (b *builder) step(k Kind, a *Account, reason string, act Action) Step {
	s := Step{ID: string(k) + ":" + a.Key.String(), Subject: a.Username, Key: a.Key, Role: a.Role, Reason: reason, Action: act}
	if len(a.Memberships) > 0 {
		s.School = a.Memberships[0].School
	}
	return s
}

func (b *builder) placeAt(username string, c ContextID) *Place {
	for _, p := range b.places[username] {
		if p.Context == c && c != 0 {
			return p
		}
	}
	return nil
}

func schoolsOf(ms []Membership) string {
	if len(ms) == 0 {
		return "no school"
	}
	var parts []string
	for _, m := range ms {
		s := string(m.School)
		if len(m.Classes) > 0 && len(m.Classes) <= 4 {
			s += " " + strings.Join(m.Classes, "+")
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " and ")
}
