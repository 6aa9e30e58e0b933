package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// decisions say what should become of each person.
type decisions struct {
	*facts
	notes
	steps   []Step            // steps that take no seat, in no order
	frees   []Step            // dropped copies: they free a seat
	limited map[string][]Step // leavers, deactivations and purges, by the guard that looks at them
	claims  []*claim          // people for whom a context is to be found
	kinds   kinds             // everybody who is where they may be, counted
	seated  []int32           // of each person, the kind in which they are counted; -1: none
	changed []*Account        // of each person who is counted and changes, what they will be like
	lists   map[fieldSet][]string

	// Room for the next ones.
	newClaims   chunk[claim]
	accounts    chunk[Account]
	memberships chunk[Membership]
	marks       chunk[Mark]
	texts       texts

	early     early
	names     *names
	coming    int             // newcomers at most
	proposed  *names          // of renames that are only proposed
	droppable map[string]bool // ids of the steps that the guard lets delete copies today
	used      map[int]int     // overrides that let old copies go
	asked     map[string]bool // ids of renames that were looked at
	several   int             // people whom more than one population takes
}

// claim is somebody for whom a context is to be found.
type claim struct {
	key     RecordKey
	pop     *Population
	allowed []ContextID // sorted
	now     ContextID   // where the person sits now; 0: nowhere
	school  SchoolID    // with whose people the person shall be
	home    SchoolID    // school under which guards count the person
	person  int32       // number among the people; -1: a newcomer
	acc     *Account    // as wanted, context still open; nil: newcomer says it
	before  *Account    // nil: no account yet
	place   *Place      // where the user really is; nil: nowhere
	pin     ContextID   // context that is decided already
	access  string
	reason  string
	resume  bool
	restore bool     // from the old copy
	fields  []string // other changes that go with it when there is no copy to make
	steps   []Step   // steps of the same person that come first
	unit    []Step   // steps that are done just before the transfer, or not at all

	newcomer newcomer
}

// newcomer is what the account of somebody is made of who has none. It is made when
// it is known where: most of what costs in a first run is to write memory.
type newcomer struct {
	record                  *Record
	username, mail, display string
	memberships             []Membership
}

// username is that of the account as wanted.
func (c *claim) username() string {
	if c.acc == nil {
		return c.newcomer.username
	}
	return c.acc.Username
}

// account is the account as wanted, context still open.
func (d *decisions) account(c *claim) Account {
	if c.acc != nil {
		return *c.acc
	}
	n := &c.newcomer
	a := Account{Key: c.key, Username: n.username, Mail: n.mail, DisplayName: n.display, Memberships: n.memberships,
		State: Active, Made: d.now}
	a.describe(n.record)
	return a
}

// stays reports whether the person is where they may be.
func (c *claim) stays() bool { return c.now != 0 && slices.Contains(c.allowed, c.now) }

// decide goes through the people. Most are as they shall be: they cost a
// comparison and are counted. The others are looked at in the order of their keys.
func (f *facts) decide() *decisions {
	d := &decisions{facts: f, limited: map[string][]Step{}, seated: make([]int32, len(f.people)),
		lists: map[fieldSet][]string{}, asked: map[string]bool{}}
	d.kinds.init(f)
	d.oldCopies()
	// A flag per person, so that parts of the people are gone through side by side.
	counts := make([][]int32, 16)
	parts(len(f.people), func(part, from, to int) {
		n := make([]int32, d.kinds.size())
		for i := from; i < to; i++ {
			if d.seated[i] = d.steady(&f.people[i]); d.seated[i] >= 0 {
				n[d.seated[i]]++
			}
		}
		counts[part] = n
	})
	for _, n := range counts {
		for k := range n {
			d.kinds.n[k] += n[k]
		}
	}
	var other []int32
	known := 0 // of these, how many have an account
	for i := range f.people {
		if d.seated[i] < 0 {
			other = append(other, int32(i))
			if f.people[i].account != nil {
				known++
			}
		}
	}
	slices.SortStableFunc(other, func(x, y int32) int { return f.people[x].key().Compare(f.people[y].key()) })
	d.claims, d.steps = make([]*claim, 0, len(other)), make([]Step, 0, known)
	var newcomers []*Record
	for _, i := range other {
		switch p := &f.people[i]; {
		case p.account == nil:
			newcomers = append(newcomers, p.record)
		case p.account.Held:
		case f.onHold[p.account.Key]:
			d.stopped(p)
		case f.doubts[p.account.Key] != "":
			d.doubted(p)
		case p.record != nil && f.here(p.record):
			d.present(i)
		default:
			d.absent(p)
		}
	}
	// Newcomers come last, so that they take no name from anybody.
	d.coming = len(newcomers)
	for _, r := range newcomers {
		d.newcomer(r)
	}
	if e := d.early; e.coming > 0 {
		d.find("not-yet-here", "%s in the export will be at a school later, first on %s: no account is made before",
			people(e.coming), e.first)
	}
	if e := d.early; e.gone > 0 {
		d.find("no-longer-here", "%s in the export whose time at school is over never had an account: none is made",
			people(e.gone))
	}
	if d.several > 0 {
		d.find("several-populations",
			"%s of those who are new or change are taken by more than one population; the first in the policy counts",
			people(d.several))
	}
	d.dropLeftovers()
	d.renamesThatWait()
	return d
}

// here reports whether a person is at some school today or later. A gap between
// two memberships, such as the summer holidays, is no departure.
func (g *given) here(r *Record) bool {
	return slices.ContainsFunc(r.Memberships, func(m Membership) bool { return m.Until.IsZero() || g.now <= m.Until })
}

// current returns the memberships of today; for somebody who is between two
// schools those that come next.
func (g *given) current(r *Record) []Membership {
	if !slices.ContainsFunc(r.Memberships, func(m Membership) bool { return !m.On(g.now) }) {
		return r.Memberships
	}
	var today, later []Membership
	for _, m := range r.Memberships {
		switch {
		case m.On(g.now):
			today = append(today, m)
		case m.From > g.now:
			later = append(later, m)
		}
	}
	if len(today) > 0 {
		return today
	}
	return later
}

// newcomer plans an account for a record that has none.
func (d *decisions) newcomer(r *Record) {
	if !slices.ContainsFunc(r.Memberships, func(m Membership) bool { return m.On(d.now) }) {
		d.early.see(r, d.now)
		return
	}
	ms := d.current(r)
	pop := d.policy.population(r.Role, ms)
	if pop == nil {
		d.noPopulation(r)
		return
	}
	limit := d.policy.Naming.MaxUsername
	if r.Role == RolePupil {
		limit = d.policy.Naming.MaxPupilUsername
	}
	given, family, unspelled := d.spelling(r)
	wait := func(guard, why string) {
		a := Account{Key: r.Key, State: Active, Access: pop.Access, Username: d.policy.Naming.likely(r, given, family, limit)}
		d.want(&a, r, ms)
		d.hold(newStep(KindCreate, &a, d.newcomerReason(&a), CreateAccount{Account: a, Access: pop.Access}), guard, why)
	}
	if why := d.doubts[r.Key]; why != "" {
		wait(d.stopGuard(r.Key), why)
		return
	}
	d.severalTake(r, ms)
	if s := d.unknownSchool(ms); s != "" {
		wait(guardNewSchools, "school "+string(s)+" is new, and "+d.doubtful[s])
		return
	}
	if unspelled != "" {
		d.find("no-spelling", "record %s: a user name cannot be made of %s; a spelling with id %q in the policy says how "+
			"it is to be written", r.Key.ID, unspelled, r.Key.ID).Key = r.Key
		wait(guardSpelling, unspelled)
		return
	}
	if d.names == nil {
		d.names = newNames(d.state, d.named, d.coming)
		d.names.follow(&d.policy.Naming)
	}
	username, address := d.names.newcomer(r, given, family, pop.Domain, limit)
	c := d.newClaims.one()
	a := Account{Key: r.Key, Username: username}
	d.want(&a, r, ms)
	c.key, c.newcomer = r.Key, newcomer{r, username, address, a.DisplayName, a.Memberships}
	c.access, c.reason, c.person = pop.Access, d.newcomerReason(&a), -1
	d.claim(c, pop, a.Memberships)
}

func (d *decisions) newcomerReason(a *Account) string {
	var buf [128]byte
	b := append(append(buf[:0], a.Role...), " at "...)
	return d.texts.text(append(appendSchools(b, a.Memberships), ", first appears in the delivery"...))
}

// doubted holds what would be done about an account of which it is not certain
// whether the record is its person's, or whether the person came under a new id.
func (d *decisions) doubted(p *individual) {
	a, why := p.account, d.doubts[p.account.Key]
	switch {
	case p.record != nil && d.here(p.record):
		w := d.copyOf(a)
		d.want(w, p.record, d.current(p.record))
		d.hold(changeStep(a, w, d.changes(a, w), ""), guardIdentity, why)
	case a.State == Active:
		d.hold(d.notice(a), guardIdentity, why)
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

func (d *decisions) noPopulation(r *Record) {
	f := d.find("no-population",
		"record %s: no population of the policy takes the role %s at %s; the person is left alone",
		r.Key.ID, r.Role, schoolsOf(d.current(r)))
	f.Key = r.Key
}

// want fills in what the record says.
func (d *decisions) want(a *Account, r *Record, ms []Membership) {
	a.describe(r)
	a.Memberships = d.wantedMemberships(ms)

	// Display names are unique, because OX wants them so within a context and
	// people move. Whoever has a name keeps it; the next one gets the user name
	// behind it and keeps that.
	plain := a.DisplayName
	if !isJoined(plain, a.GivenName, a.FamilyName) {
		plain = d.texts.join(a.GivenName, " ", a.FamilyName)
	}
	switch {
	case a.Called != "":
		plain = a.Called
	case a.GivenName == "" || a.FamilyName == "" || len(plain) > 120:
		plain = cleanName(r.GivenName + " " + r.FamilyName)
	}
	owner := d.display.entry(plain)
	if isMarked(a, plain) || !d.display.isFree(*owner, a.Username) {
		a.DisplayName = plain + " (" + a.Username + ")"
		owner = d.display.entry(a.DisplayName)
	} else {
		a.DisplayName = plain
	}
	if d.doubts[r.Key] == "" {
		d.display.give(owner, a.Username)
	}
}

// describe fills in what needs nothing but the record.
func (a *Account) describe(r *Record) {
	a.Role = r.Role
	a.GivenName, a.FamilyName = cleanName(r.GivenName), cleanName(r.FamilyName)
	a.Phone, a.NoticeMail = phoneOf(r), r.NoticeMail
	if r.Language != "" {
		a.Language = r.Language
	}
	a.Traits = wantedTraits(a, r)
}

// isJoined reports whether a name is a given and a family name with a blank between.
func isJoined(name, given, family string) bool {
	n := len(given)
	return len(name) == n+1+len(family) && name[:n] == given && name[n] == ' ' && name[n+1:] == family
}

// isMarked reports whether the display name of an account is a name with the user name
// behind it.
func isMarked(a *Account, plain string) bool {
	n := len(a.DisplayName) - len(a.Username) - 3
	return n >= 0 && n == len(plain) && a.DisplayName[:n] == plain && a.DisplayName[n:n+2] == " (" &&
		a.DisplayName[n+2:len(a.DisplayName)-1] == a.Username && a.DisplayName[len(a.DisplayName)-1] == ')'
}

// phoneOf is the number that is kept: of pupils only name and address are.
func phoneOf(r *Record) string {
	if r.Role == RolePupil {
		return ""
	}
	return r.Phone
}

func wantedTraits(a *Account, r *Record) Traits {
	return Traits{cmp.Or(r.Traits.Birth, a.Traits.Birth), cmp.Or(r.Traits.Number, a.Traits.Number)}
}

// wantedMemberships are schools and classes, sorted.
func (d *decisions) wantedMemberships(ms []Membership) []Membership {
	out := d.memberships.take(len(ms))[:0]
	for i := range ms {
		cs := ms[i].Classes
		if !sortedOnce(cs) {
			cs = slices.Clone(cs)
			slices.Sort(cs)
			cs = slices.Compact(cs)
		}
		out = append(out, Membership{School: ms[i].School, Classes: cs})
	}
	if len(out) > 1 {
		slices.SortFunc(out, func(x, y Membership) int { return strings.Compare(string(x.School), string(y.School)) })
	}
	return out
}

// sortedOnce reports whether texts are sorted, and none comes twice.
func sortedOnce(s []string) bool {
	for i := 1; i < len(s); i++ {
		if s[i-1] >= s[i] {
			return false
		}
	}
	return true
}

// severalTake counts somebody whom more than one population would take.
func (d *decisions) severalTake(r *Record, ms []Membership) {
	i := d.policy.populationIndex(r.Role, ms)
	if among(d.policy.Populations[i+1:], r.Role, ms) >= 0 {
		d.several++
	}
}

// uncertain returns why the record of somebody who is delivered may lack a
// membership, or "": an unreadable row without a key may have been theirs.
func (f *facts) uncertain(a *Account, more []Membership) string {
	if f.lost != "" {
		return f.lost
	}
	for _, ms := range [2][]Membership{a.Memberships, more} {
		for _, m := range ms {
			if why := f.schools[m.School]; why != "" {
				return why
			}
			if f.lostAt[m.School] {
				return "an unreadable row of school " + string(m.School) + " may be about the person"
			}
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

// claim registers somebody who needs, or has, a seat, and what their schools will be.
func (d *decisions) claim(c *claim, pop *Population, ms []Membership) {
	c.pop = pop
	if c.acc != nil {
		c.key = c.acc.Key
	}
	c.allowed = pop.Contexts
	if !slices.IsSorted(c.allowed) {
		c.allowed = slices.Sorted(slices.Values(pop.Contexts))
	}
	if len(ms) > 0 {
		c.school = ms[0].School
	}
	c.home = c.school
	if c.before != nil && c.person >= 0 {
		if ms := d.people[c.person].account.Memberships; len(ms) > 0 {
			c.home = ms[0].School
		}
	}
	if c.place != nil {
		c.now = c.place.Context
	}
	d.claims = append(d.claims, c)
}

// present plans for somebody who has an account and is delivered.
func (d *decisions) present(i int32) {
	p := &d.people[i]
	a, r := p.account, p.record
	ms := d.current(r)
	pop := d.policy.population(r.Role, ms)
	if pop == nil {
		d.noPopulation(r)
		d.dropOld(a, false)
		return
	}
	if a.Mail == "" {
		d.find("no-address", "account %s has no mail address: it is left alone", a.Username).Key = a.Key
		return
	}
	cur := a
	var chain []Step
	switch a.State {
	case Pending:
		d.pending(i, ms, pop)
		return
	case Active:
	case Leaving:
		next := d.copyOf(a)
		next.State, next.NoticedOn, next.RemindedOn = Active, 0, 0
		chain = append(chain, newStep(KindCancelNotice, a, "the record is delivered again",
			CancelNotice{Before: *a, After: *next}))
		cur = next
	case Deactivated:
		next := d.copyOf(a)
		next.State, next.NoticedOn, next.RemindedOn, next.Deactivated, next.Access = Active, 0, 0, 0, pop.Access
		chain = append(chain, newStep(KindReactivate, a, "the record is delivered again",
			Reactivate{Before: *a, After: *next, Access: pop.Access}))
		cur = next
	default:
		d.unknownState(a)
		return
	}
	w := d.copyOf(cur)
	d.want(w, r, ms)
	place := p.place
	if old := d.livesIn(a); place == nil && old != nil {
		place, w.Context = old, old.Context
	}
	allowed := slices.Contains(pop.Contexts, w.Context)
	access := pop.Access
	if why := d.uncertain(a, ms); why != "" {
		// One of the person's rows may be among those lost: nothing is taken away.
		w.Memberships = union(cur.Memberships, w.Memberships)
		access = cmp.Or(cur.Access, access)
		if !allowed && place != nil {
			d.find("move-suspended", "%s would move from context %d, now %s; but %s", a.Username, w.Context, pop.Name,
				why).Key = a.Key
			wider := *pop
			wider.Contexts = append(slices.Clone(pop.Contexts), w.Context)
			pop, allowed = &wider, true
		}
	}
	// Where it is not known what was given it stays so, and the access of a new
	// population waits for its context.
	if cur.Access != "" && (place == nil || allowed) {
		w.Access = access
	}
	fields := d.changes(cur, w)
	if w.Context != cur.Context {
		fields = append(slices.Clone(fields), "context") // the list is shared
	}
	if s := d.unknownSchool(w.Memberships); s != "" {
		d.steps = append(d.steps, chain...)
		d.hold(changeStep(cur, w, fields, ""), guardNewSchools, "school "+string(s)+" is new, and "+d.doubtful[s])
		return
	}
	if len(fields) > 0 {
		d.severalTake(r, ms)
		w.Marks = d.marked(cur, w, fields)
	}
	if d.lastCopy(a) != nil {
		d.restore(i, *cur, chain, cmp.Or(cur.Access, pop.Access), pop)
		return
	}
	if place == nil {
		if left := d.lastLeftover(a); left != nil {
			d.keepLeftover(cur, chain, cmp.Or(cur.Access, pop.Access), left)
			return
		}
	}
	ready := prepared{i: i, account: a, place: place, cur: cur, want: w, chain: chain, fields: fields, access: access,
		pop: pop}
	if place != nil && a.State == Active && a.unfinished() != nil {
		// First a rename that was cut off is completed, and everything else waits.
		wider := *pop
		wider.Contexts = append(slices.Clone(pop.Contexts), a.Context)
		ready.pop, ready.want, ready.fields, allowed = &wider, cur, nil, true
	}
	if place == nil || !allowed {
		d.moving(&ready)
		return
	}
	d.staying(&ready, r)
}

// copyOf returns a copy of an account.
func (d *decisions) copyOf(a *Account) *Account {
	c := d.accounts.one()
	*c = *a
	return c
}

// prepared is what is known about somebody who is present, before it is known
// whether they move.
type prepared struct {
	i       int32
	account *Account // as observed
	place   *Place
	cur     *Account // after chain
	want    *Account
	chain   []Step // notices and the like that come first
	fields  []string
	access  string
	pop     *Population
}

// pending plans for an account that an interrupted run has begun.
func (d *decisions) pending(i int32, ms []Membership, pop *Population) {
	p := &d.people[i]
	a := p.account
	w := d.copyOf(a)
	d.want(w, p.record, ms)
	w.State, w.Access = Active, pop.Access
	c := &claim{acc: w, before: a, access: pop.Access, resume: true, person: i,
		reason: "an earlier run was interrupted while it made the account"}
	switch {
	case p.place == nil:
	case slices.Contains(pop.Contexts, a.Context):
		c.place, c.pin = p.place, a.Context
	case a.Previous.Context == 0:
		// It is not finished where it does not belong: the user that was made
		// there, still empty, becomes an old copy.
		c.acc.Previous = Previous{Context: p.place.Context, UserID: p.place.UserID, Since: d.now}
	}
	d.claim(c, pop, w.Memberships)
}

// livesIn returns the user of somebody whose context the directory does not know, as of
// those who lived in Open-Xchange before their site was taken over; nil: there is none, or
// it is not certain which.
func (d *decisions) livesIn(a *Account) *Place {
	there := d.elsewhere[a.Username]
	if a.Context == 0 && a.Previous.Context == 0 && len(there) == 1 && a.Mail != "" &&
		strings.EqualFold(there[0].Mail, a.Mail) {
		return there[0]
	}
	return nil
}

// moving plans for somebody who has no user, or one where they may not be.
func (d *decisions) moving(r *prepared) {
	a, cur, w := r.account, r.cur, r.want
	allowed := slices.Contains(r.pop.Contexts, a.Context)
	// A copy needs a source; without one the person gets a new place.
	c := d.newClaims.one()
	c.before, c.place, c.access, c.steps, c.person = cur, r.place, r.access, r.chain, r.i
	switch {
	case allowed:
		c.pin = a.Context
		c.reason = fmt.Sprintf("the user is missing in context %d", a.Context)
		d.find("missing-user", "%s has an account but no user in context %d: it is made anew, empty", a.Username, a.Context)
	case r.place == nil:
		c.reason = fmt.Sprintf("now %s, has no place in OX yet", r.pop.Name)
	default:
		c.reason = fmt.Sprintf("now %s at %s", r.pop.Name, schoolsOf(w.Memberships))
	}
	// A user of this name in another context is a copy that an interrupted
	// run left there, if it looks like one; or somebody else's, who is left alone.
	free := *r.pop
	free.Contexts = slices.Clone(r.pop.Contexts)
	for _, p := range d.elsewhere[a.Username] {
		switch {
		case p.Context == a.Previous.Context || !slices.Contains(r.pop.Contexts, p.Context):
		case r.place != nil && strings.EqualFold(p.Mail, r.place.Mail) && p.DisplayName == r.place.DisplayName:
			c.pin = p.Context
		default:
			free.Contexts = slices.DeleteFunc(free.Contexts, func(x ContextID) bool { return x == p.Context })
		}
	}
	switch {
	case r.place == nil:
		c.fields = r.fields
		c.acc = d.copyOf(w)
		d.dropCopy(c, false)
	case slices.Contains(r.fields, "role"):
		// A role and the place that goes with it change together or not at all.
		c.acc = d.copyOf(w)
		d.dropCopy(c, false)
		w.Previous = c.before.Previous
		c.unit = []Step{changeStep(c.before, w, r.fields, "")}
		c.before = w
	default:
		if len(r.fields) > 0 {
			c.steps = append(c.steps, changeStep(cur, w, r.fields, ""))
			c.before = w
		}
		c.acc = d.copyOf(w)
		d.dropCopy(c, false)
	}
	d.claim(c, &free, w.Memberships)
}

// staying plans for somebody who has a user where they may be.
func (d *decisions) staying(r *prepared, rec *Record) {
	a := r.account
	var buf [4]Step // on the stack, for most
	chain := append(buf[:0], r.chain...)
	if s := d.renaming(r, rec); s != nil {
		chain = append(chain, *s)
	} else if len(r.fields) > 0 {
		chain = append(chain, changeStep(r.cur, r.want, r.fields, r.access))
	}
	w := r.want
	inOX := slices.ContainsFunc(r.fields, func(f string) bool { return oxFields[f] }) || a.State == Deactivated ||
		slices.Contains(r.fields, "former")
	if what := differs(r.place, w); what != "" && !inOX {
		repair := newStep(KindRepair, w, "in OX "+what+" not as in the directory",
			RepairPlace{Account: *w, Access: r.access, Found: *r.place})
		repair.School = newStep(KindRepair, a, "", RepairPlace{}).School
		chain = append(chain, repair)
	}
	d.steps = append(d.steps, chain...)
	if d.policy.context(w.Context) == nil {
		return // a move that is suspended; nobody else can be meant
	}
	if a.Context == w.Context && !slices.Contains(r.fields, "former") && d.count(r) {
		return
	}
	c := d.newClaims.one()
	c.before, c.acc, c.person = w, d.copyOf(w), r.i
	d.dropCopy(c, false)
	d.frees = append(d.frees, c.steps...)
	c.steps = nil
	c.place, c.access, c.reason = r.place, r.access, stayReason(w.Context)
	d.claim(c, r.pop, w.Memberships)
}

// count counts somebody who stays among their kind, and reports whether that says
// all about them.
func (d *decisions) count(r *prepared) bool {
	pop := slices.IndexFunc(d.policy.Populations, func(p Population) bool { return p.Name == r.pop.Name })
	if r.want.Previous.Context != 0 || pop < 0 || r.pop != &d.policy.Populations[pop] || r.access != r.pop.Access {
		return false
	}
	school := SchoolID("")
	if len(r.want.Memberships) > 0 {
		school = r.want.Memberships[0].School
	}
	kind := d.kinds.of(pop, school, r.want.Context)
	if kind < 0 || d.kinds.n[kind] == 0 { // a kind comes when the first of its people does
		return false
	}
	if d.changed == nil {
		d.changed = make([]*Account, len(d.people))
	}
	d.seated[r.i], d.changed[r.i] = kind, r.want
	d.kinds.n[kind]++
	return true
}

func stayReason(c ContextID) string { return fmt.Sprintf("context %d is over its capacity", c) }

func (d *decisions) unknownState(a *Account) {
	d.find("unknown-state", "account %s has the state %q, which schoolmail does not know: it is left alone", a.Username,
		a.State)
}

func changeReason(before, after *Account, fields []string) string {
	var buf [256]byte
	b := buf[:0]
	for i, f := range fields {
		if i > 0 {
			b = append(b, ", "...)
		}
		switch f {
		case "memberships":
			b = appendSchools(append(b, "from "...), before.Memberships)
			b = appendSchools(append(b, " to "...), after.Memberships)
		case "access":
			b = append(append(append(append(b, "access from "...), before.Access...), " to "...), after.Access...)
		case "role":
			b = append(append(append(append(b, "from "...), before.Role...), " to "...), after.Role...)
		default:
			b = append(append(b, strings.ReplaceAll(f, "_", " ")...), " changed"...)
		}
	}
	return string(b)
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
func (d *decisions) absent(p *individual) {
	a := d.dropOld(p.account, false)
	shield := d.shield(a)
	if p.record != nil { // it has ended
		if shield = d.shielded[a.Key]; shield == "" {
			shield = d.uncertain(a, nil)
		}
	}
	if a.State == Deactivated && shield == "" {
		if d.now >= a.Deactivated.AddDays(d.policy.LifeCycle.PurgeDays) && !a.Deactivated.IsZero() {
			d.purge(a)
		}
		return
	}
	if a.State == Active && a.unfinished() != nil {
		// First Open-Xchange and the mailbox follow: who is not found there by their name
		// is neither shut out nor deleted.
		d.steps = append(d.steps, *d.completion(&prepared{account: a, cur: a, access: a.Access}))
		return
	}
	notice := d.notice(a)
	if p.record != nil {
		notice = d.ended(a, p.record)
	}
	if shield != "" {
		if shield != d.absence && a.State == Active && d.shielded[a.Key] == "" {
			d.hold(notice, "", shield)
		}
		return
	}
	switch a.State {
	case Active:
		d.limited["leavers"] = append(d.limited["leavers"], notice)
	case Leaving:
		d.leaving(a)
	case Pending:
		d.find("pending-without-record", "account %s was never completed and its record is gone: it is left alone",
			a.Username)
	case Deactivated:
	default:
		d.unknownState(a)
	}
}

func (d *decisions) leaving(a *Account) {
	due := a.NoticedOn.AddDays(d.policy.LifeCycle.NoticeDays)
	switch {
	case a.NoticedOn.IsZero():
		d.find("no-notice-date", "account %s is leaving without a recorded notice: it is left alone", a.Username)
	case d.now >= due:
		d.limited["deactivations"] = append(d.limited["deactivations"], d.deactivation(a))
	default:
		if days := d.policy.LifeCycle.reminder(a, due, d.now); days > 0 {
			d.steps = append(d.steps, d.remind(a, due, days))
		}
	}
}

func (d *decisions) deactivation(a *Account) Step {
	next := *a
	next.State, next.Deactivated = Deactivated, d.now
	return newStep(KindDeactivate, a, fmt.Sprintf("notice of %s, %d days ago", a.NoticedOn, d.now.Sub(a.NoticedOn)),
		Deactivate{Before: *a, After: next})
}

func (d *decisions) purge(a *Account) {
	reason := fmt.Sprintf("deactivated since %s", a.Deactivated)
	if why := d.beingUpdated(a.Previous.Context); why != "" {
		d.hold(newStep(KindPurge, a, reason, Purge{Account: *a}), "", why)
		return
	}
	a = d.dropOld(a, true) // no copy outlives the account
	act := Purge{Account: *a}
	if p := d.placeAt(a.Username, a.Context); p != nil {
		act.UserID = p.UserID
	}
	d.limited["purges"] = append(d.limited["purges"], newStep(KindPurge, a, reason, act))
}

func (d *decisions) notice(a *Account) Step {
	next := *a
	next.State, next.NoticedOn, next.RemindedOn = Leaving, d.now, 0
	due := d.now.AddDays(d.policy.LifeCycle.NoticeDays)
	return newStep(KindNotice, a,
		"no longer delivered by "+schoolsOf(a.Memberships)+"; the mailbox closes on "+due.String(),
		SendNotice{Before: *a, After: next, Due: due})
}

// ended is the notice of somebody whose time at school is over, as the record says.
func (d *decisions) ended(a *Account, r *Record) Step {
	last := Date(0)
	for _, m := range r.Memberships {
		last = max(last, m.Until)
	}
	s := d.notice(a)
	s.Reason = fmt.Sprintf("at %s until %s; the mailbox closes on %s", schoolsOf(a.Memberships), last,
		d.now.AddDays(d.policy.LifeCycle.NoticeDays))
	return s
}

func changeStep(before, after *Account, fields []string, access string) Step {
	return newStep(KindChange, after, changeReason(before, after, fields),
		ChangeAccount{Before: *before, After: *after, Fields: fields, Access: access,
			SeatExists: before.Context != after.Context})
}

func newStep(k Kind, a *Account, reason string, act Action) Step {
	return stepOf(string(k)+":"+a.Key.Source+"/"+a.Key.ID, a, reason, act)
}

// stepOf is newStep with the step's id.
func stepOf(id string, a *Account, reason string, act Action) Step {
	s := Step{ID: id, Subject: a.Username, Key: a.Key, Role: a.Role,
		Reason: reason, Action: act,
		Destructive: act.nature().destroys}
	if len(a.Memberships) > 0 {
		s.School = a.Memberships[0].School
	}
	return s
}

func schoolsOf(ms []Membership) string {
	var buf [96]byte
	return string(appendSchools(buf[:0], ms))
}

func appendSchools(b []byte, ms []Membership) []byte {
	if len(ms) == 0 {
		return append(b, "no school"...)
	}
	for i := range ms {
		m := &ms[i]
		if i > 0 {
			b = append(b, " and "...)
		}
		b = append(b, m.School...)
		if len(m.Classes) > 0 && len(m.Classes) <= 4 {
			for j, c := range m.Classes {
				b = append(append(b, " +"[min(j, 1)]), c...)
			}
		}
	}
	return b
}
