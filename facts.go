package schoolmail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// facts are what is known before anything is decided.
type facts struct {
	given
	notes
	// people are those of whom an account or a usable record of the source tells,
	// by id without regard to case.
	people  []individual
	managed int // accounts of the source that are not on hold
	unclear     // why what is missing may be there all the same

	byUser    userTable
	former    map[string]int32    // user name before a rename that was cut off -> number of the account
	elsewhere map[string][]*Place // user name -> its users in other contexts than that of its account
	named     []*Place            // users with names that no account has
	users     int                 // users in OX but administrators
	unknown   int                 // of these, users that are not in the directory
	doubtful  map[SchoolID]string // new schools that may be mistakes, and why
	known     map[SchoolID]bool   // schools that accounts or the policy name
	display   *displayNames
	usual     *usual            // made when the first guard asks
	living    []Adoption        // accounts without a record id that may be a newcomer's
	updating  map[ContextID]int // contexts whose users could not be read -> users known by the directory
}

// individual is somebody with an account or a record, or both.
type individual struct {
	account *Account
	record  *Record
	place   *Place // the user where the account says
	at      int32  // number of the account
	settled int32  // of whom the record says what the account says, see [facts.settle]; of others -1
	sent    bool   // some record has the account's key, even if it cannot be used
	agrees  bool   // the place is as the account wants it
}

// give gives somebody another record, or none.
func (f *facts) give(p *individual, r *Record) { p.record, p.settled = r, f.settle(p.account, r) }

// nobody is left of somebody without an account whose record cannot be used.
func (p individual) nobody() bool { return p.account == nil && p.record == nil }

func (p *individual) key() RecordKey {
	if p.account != nil {
		return p.account.Key
	}
	return p.record.Key
}

// unclear says why absence does not count.
type unclear struct {
	shielded map[RecordKey]string // keys whose absence must not count, with the reason
	schools  map[SchoolID]string  // schools whose absences must not count, with the reason
	absence  string               // why absence does not count at all; empty: it counts
	lost     string               // why any record may lack a row
	lostAt   map[SchoolID]bool    // schools that have an unreadable row without a key
	doubts   map[RecordKey]string // why nothing is done for a key: it is not certain who stands behind it, or a hold
	onHold   map[RecordKey]bool   // those of them who are on hold
}

// lookAt looks at everything once and finds what is ambiguous.
func lookAt(in given) *facts {
	f := &facts{given: in}
	f.unclear = unclear{shielded: map[RecordKey]string{}, schools: map[SchoolID]string{}, lostAt: map[SchoolID]bool{},
		doubts: map[RecordKey]string{}}
	f.doubtful = map[SchoolID]string{}
	f.meet()
	f.display = newDisplayNames(&in.sorted, len(in.delivery.Records))
	f.house()
	f.rejections()
	f.follow()
	f.spell()
	f.keepClasses()
	f.orphans()
	f.collapse()
	switch {
	case f.delivery.Kind == DeliveryDelta:
		f.absence = "the delivery lists only changes"
	case f.delivery.Incomplete != "":
		f.absence = "the delivery is incomplete: " + f.delivery.Incomplete
		f.lost = f.absence
		f.find("incomplete-delivery", "%s; nobody who is missing is treated as gone", f.delivery.Incomplete)
	}
	for _, sort := range slices.Sorted(maps.Keys(f.delivery.Unknown)) {
		f.find("unknown-columns", "files %s: not read, as the profile does not know them: %q", sort, f.delivery.Unknown[sort])
	}
	for _, s := range f.delivery.Suspended {
		f.find("source-suspended", "%s: %s is treated as gone", s.Reason, s.whom())
	}
	f.identify()
	f.putOnHold()
	return f
}

// meet brings accounts and records together. Directories match record ids
// without regard to case, so both are gone through in that order.
func (f *facts) meet() {
	accountID := func(i int32) string { return f.state.Accounts[i].Key.ID }
	recordID := func(i int32) string { return f.delivery.Records[i].Key.ID }
	byAccount := rankFold(f.ours(), accountID, f.sorted.compare)
	byRecord := rankFold(f.sentByUs(), recordID, func(i, j int32) int { return cmp.Compare(i, j) })
	f.people = make([]individual, 0, max(len(byAccount), len(byRecord)))
	for len(byAccount) > 0 || len(byRecord) > 0 {
		var as, rs []ranked
		switch {
		case len(byAccount) == 0:
			rs = run(byRecord, recordID)
		case len(byRecord) == 0:
			as = run(byAccount, accountID)
		default:
			a, r := byAccount[0], byRecord[0]
			c := 0
			if x, y := accountID(a.at), recordID(r.at); x != y {
				c = compareFold(x, y)
			}
			if c <= 0 {
				as = run(byAccount, accountID)
			}
			if c >= 0 {
				rs = run(byRecord, recordID)
			}
		}
		byAccount, byRecord = byAccount[len(as):], byRecord[len(rs):]
		switch {
		case len(as) == 1 && len(rs) == 1 && f.keyOf(as[0]) == f.sentKey(rs[0]):
			f.introduce(as[0].at, f.usable(f.record(rs[0])), true)
		case len(as) == 0 && len(rs) == 1:
			f.introduce(-1, f.usable(f.record(rs[0])), true)
		case len(as) == 1 && len(rs) == 0:
			f.introduce(as[0].at, nil, false)
		default:
			f.confused(as, rs)
		}
	}
	parts(len(f.people), func(_, from, to int) {
		for some := range slices.Chunk(f.people[from:to], few) {
			fetchPeople(some)
			for i := range some {
				some[i].settled = f.settle(some[i].account, some[i].record)
			}
		}
	})
}

// ours lists the accounts of the source, by number.
func (f *facts) ours() []ranked {
	list := make([]ranked, 0, len(f.state.Accounts))
	for i := range f.state.Accounts {
		if k := &f.state.Accounts[i].Key; k.Source == f.policy.Source && k.ID != "" {
			list = append(list, ranked{foldedPrefix(k.ID), int32(i)})
		}
	}
	return list
}

// sentByUs lists the records of the source, by number.
func (f *facts) sentByUs() []ranked {
	list := make([]ranked, 0, len(f.delivery.Records))
	for i := range f.delivery.Records {
		k := &f.delivery.Records[i].Key
		if k.Source != f.policy.Source {
			f.find("foreign-record", "a record of source %q in a delivery of %q is ignored", k.Source, f.policy.Source)
			continue
		}
		list = append(list, ranked{foldedPrefix(k.ID), int32(i)})
	}
	return list
}

func (f *facts) keyOf(a ranked) RecordKey { return f.state.Accounts[a.at].Key }

func (f *facts) record(r ranked) *Record { return &f.delivery.Records[r.at] }

func (f *facts) sentKey(r ranked) RecordKey { return f.delivery.Records[r.at].Key }

// run returns the items at the head of a list whose ids are equal but for case.
func run(list []ranked, id func(int32) string) []ranked {
	n := 1
	for n < len(list) && list[n].prefix == list[0].prefix &&
		(id(list[n].at) == id(list[0].at) || compareFold(id(list[n].at), id(list[0].at)) == 0) {
		n++
	}
	return list[:n]
}

// introduce notes somebody by the number of the account, -1 for none, and the record.
func (f *facts) introduce(at int32, r *Record, sent bool) {
	p := individual{at: at, record: r, sent: sent}
	if at >= 0 {
		p.account = &f.state.Accounts[at]
		if !p.account.Held {
			f.managed++
		}
	}
	if !p.nobody() {
		f.people = append(f.people, p)
	}
}

// usable returns a record that says who it is about, or nil.
func (f *facts) usable(r *Record) *Record {
	if r.Role.Valid() && (isClean(r.GivenName) && r.GivenName != "" || cleanName(r.GivenName+r.FamilyName) != "") {
		return r
	}
	f.shielded[r.Key] = "the record has no usable role or name"
	f.find("unusable-record", "record %s has no usable role or name: the person is left alone", r.Key.ID).Key = r.Key
	return nil
}

// confused looks at accounts and records whose ids are equal but for case, where
// there is more than one of a sort, or they are not exactly equal.
func (f *facts) confused(as, rs []ranked) {
	var alone []int32 // numbers of accounts with a key of their own
	for i, x := range as {
		a := &f.state.Accounts[x.at]
		before := i > 0 && f.keyOf(as[i-1]) == a.Key
		if before {
			f.find("double-account", "accounts %s and %s have the same record: both are left alone",
				f.state.Accounts[as[i-1].at].Username, a.Username).Key = a.Key
		}
		if before || i+1 < len(as) && f.keyOf(as[i+1]) == a.Key {
			f.shielded[a.Key] = "two accounts have this record"
			continue
		}
		alone = append(alone, x.at)
	}
	var record *Record
	good := 0
	for _, x := range rs {
		r := f.usable(f.record(x))
		if r == nil {
			continue
		}
		if good++; good == 1 {
			record = r
			continue
		}
		f.shielded[r.Key], f.shielded[record.Key] = "double record id", "double record id"
		f.find("double-record", "records %s and %s differ at most in upper and lower case: both are left alone",
			record.Key.ID, r.Key.ID).Key = r.Key
	}
	if good == 1 {
		for _, at := range alone {
			a := &f.state.Accounts[at]
			if a.Key == record.Key {
				continue
			}
			good = 0
			f.shielded[record.Key], f.shielded[a.Key] = "the record id has changed its case",
				"the record id has changed its case"
			f.find("record-case", "record %s is account %s in another case: both are left alone",
				record.Key.ID, a.Username).Key = record.Key
		}
	}
	if good != 1 || f.shielded[record.Key] != "" {
		record = nil
	}
	for _, at := range alone {
		sent := slices.ContainsFunc(rs, func(x ranked) bool { return f.sentKey(x) == f.state.Accounts[at].Key })
		f.introduce(at, record, sent)
		if record != nil {
			return // it is this account's
		}
	}
	if len(alone) == 0 {
		f.introduce(-1, record, true)
	}
}

// byFormer finds the users of people whose rename was cut off by the name of before, too.
func (f *facts) byFormer() {
	for _, at := range f.sorted.read().renamed {
		if u := f.state.Accounts[at].unfinished(); u != nil && u.Username != "" {
			if f.former == nil {
				f.former = map[string]int32{}
			}
			f.former[u.Username] = at
		}
	}
}

// accountOf returns the number of the account of a user name, and whether there is one.
func (f *facts) accountOf(username string) (int32, bool) {
	return f.accountWith(username, hashOf(username))
}

// accountWith is accountOf for a user name with a hash.
func (f *facts) accountWith(username string, hash uint64) (int32, bool) {
	n, known := f.byUser.numberOf(username, hash)
	if !known && len(f.former) > 0 {
		n, known = f.former[username]
	}
	return n, known
}

// house finds where everybody lives, and users in OX that the directory does
// not explain.
func (f *facts) house() {
	f.byUser = userTable{f.state.Accounts, newTable[int32](len(f.state.Accounts))}
	twice := false // some user name is that of two accounts
	read := f.sorted.read()
	for i, r := range f.sorted.accounts {
		number, known := f.byUser.entry(f.state.Accounts[r.at].Username, read.users[i])
		*number, twice = r.at, twice || known
	}
	f.byFormer()
	home := make([]lodging, len(f.state.Accounts))
	f.elsewhere = map[string][]*Place{}
	f.presume(home)
	unknown := map[ContextID]int{}
	for i, r := range f.sorted.places {
		f.lodge(&f.state.Places[r.at], read.placed[i], home, unknown)
	}
	for i := range f.people {
		if p := &f.people[i]; p.account != nil {
			p.place, p.agrees = home[p.at].place, home[p.at].agrees
			if twice { // the user may be that of another account, which it was compared with
				n, _ := f.byUser.number(p.account.Username)
				p.place = home[n].place
				p.agrees = p.place != nil && agrees(p.place, p.account)
			}
		}
	}
	for _, ps := range f.elsewhere {
		for _, p := range ps {
			f.secondCopy(p)
		}
	}
	if len(unknown) > 0 {
		var parts []string
		for _, c := range sortedIDs(unknown) {
			parts = append(parts, fmt.Sprintf("%d in context %d", unknown[c], c))
		}
		f.find("unknown-users", "OX has %d users that are not in the directory (%s); they are not touched",
			f.unknown, strings.Join(parts, ", "))
	}
}

// lodging is the user of an account where the account says.
type lodging struct {
	place  *Place
	agrees bool // it is as the account wants it
}

// lodge notes whose place a user in OX is; hash is that of the user name. Those that no
// account explains are counted in unknown, by context.
func (f *facts) lodge(p *Place, hash uint64, home []lodging, unknown map[ContextID]int) {
	if !p.Admin {
		f.users++
	}
	i, known := f.accountWith(p.Username, hash)
	if !known || p.DisplayName != f.state.Accounts[i].DisplayName || p.Username == "" {
		f.display.others = append(f.display.others, p)
	}
	if _, updating := f.updating[p.Context]; updating {
		return // presumed
	}
	if !known || p.Mail != f.state.Accounts[i].Mail {
		f.named = append(f.named, p)
	}
	if !known {
		if !p.Admin {
			unknown[p.Context]++
			f.unknown++
		}
		return
	}
	if a := &f.state.Accounts[i]; a.Context != p.Context || p.Context == 0 {
		f.elsewhere[p.Username] = append(f.elsewhere[p.Username], p)
	} else if home[i].place == nil {
		home[i] = lodging{p, agrees(p, a)}
	}
}

// secondCopy reports a user of a person who lives elsewhere, unless it is known
// why it is there.
func (f *facts) secondCopy(p *Place) {
	n, _ := f.accountOf(p.Username)
	a := &f.state.Accounts[n]
	if p.Admin || a.Key.Source != f.policy.Source || a.Previous.Context == p.Context || a.State == Pending {
		return
	}
	for _, l := range f.state.Leftovers {
		if l.Username == p.Username && l.Context == p.Context && f.isLeftover(a, l) {
			return
		}
	}
	f.find("second-copy", "%s lives in context %d but context %d has a user of this name too; it is not touched",
		p.Username, a.Context, p.Context)
}

// placeAt returns the user of an account in a context, or nil.
func (f *facts) placeAt(username string, c ContextID) *Place {
	if c == 0 {
		return nil
	}
	for _, p := range f.elsewhere[username] {
		if p.Context == c {
			return p
		}
	}
	if i, ok := f.byUser.number(username); ok && f.state.Accounts[i].Context == c {
		a := &f.state.Accounts[i]
		if p := f.personOf(a.Key); p != nil && p.account == a {
			return p.place
		}
	}
	return nil
}

// personOf returns the person of a key, or nil.
func (f *facts) personOf(k RecordKey) *individual {
	for i := range f.samePeople(k) {
		if f.people[i].key() == k {
			return &f.people[i]
		}
	}
	return nil
}

// samePeople yields those whose key is this one but for case.
func (f *facts) samePeople(k RecordKey) func(func(int) bool) {
	from, _ := slices.BinarySearchFunc(f.people, k, func(p individual,
		k RecordKey) int {
		return compareFold(p.key().ID, k.ID)
	})
	return func(yield func(int) bool) {
		for i := from; i < len(f.people) && compareFold(f.people[i].key().ID, k.ID) == 0; i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// rejections turns unreadable rows into shields.
func (f *facts) rejections() {
	var half []int // people of whom what could be read of other rows may be half of the truth
	for _, r := range f.delivery.Rejected {
		x := f.find("rejected-row", "%s: %s", r.Position, r.Reason)
		x.School, x.Key, x.Position = r.School, r.Key, r.Position
		switch {
		case r.Harmless:
		case r.Key.ID != "":
			const why = "an unreadable row is about this person"
			f.shielded[r.Key] = why
			for i := range f.samePeople(r.Key) {
				f.shielded[f.people[i].key()] = why
				half = append(half, i)
			}
		case r.School != "":
			f.lostAt[r.School] = true
			f.schools[r.School] = "an unreadable row of the school may be about the person"
			x.Text += f.likely(&r)
		default:
			x.Text += f.likely(&r)
			f.lost = "a row that could not be read may be about the person"
			f.absence = "a row that could not be read may be about anybody"
		}
	}
	for _, i := range half {
		f.give(&f.people[i], nil)
	}
	if len(half) > 0 {
		f.people = slices.DeleteFunc(f.people, individual.nobody)
	}
	if f.absence != "" {
		f.find("absence-suspended", "%s: nobody who is missing is treated as gone", f.absence)
	}
}

// likely shields the people who are missing and have the name of a row that does not
// tell whose it is, at whatever school they are, and names them.
func (f *facts) likely(r *Rejection) string {
	if r.GivenName == "" || r.FamilyName == "" {
		return ""
	}
	var names []string
	hash, full := hashPerson(r.GivenName, r.FamilyName), fullName(r.GivenName, r.FamilyName)
	for i := range f.people {
		a := f.people[i].account
		if a == nil || a.State == Deactivated || f.people[i].sent || hashPerson(a.GivenName, a.FamilyName) != hash ||
			fullName(a.GivenName, a.FamilyName) != full {
			continue
		}
		f.shielded[a.Key] = "a row that does not tell whose it is has the name of this person"
		names = append(names, a.Username)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; most likely the row of " + strings.Join(names, " or ") + ", who is missing"
}

// collapse finds schools that delivered far fewer people than they have.
func (f *facts) collapse() {
	if f.delivery.Kind != DeliveryFull {
		return
	}
	// Counted for each role and, with no role, for the school as a whole: a
	// missing file of teachers must not hide among the pupils. Whichever it is,
	// the whole school counts as not delivered: of an export that lost half of
	// the pupils nobody knows what it lost of the teachers.
	sent, missing, active := heads{}, heads{}, map[SchoolID]bool{}
	for i := range f.delivery.Records {
		r := &f.delivery.Records[i]
		for j := range r.Memberships {
			if m := &r.Memberships[j]; m.Until.IsZero() || f.now <= m.Until {
				sent.add(m.School, r.Role)
			}
		}
	}
	// People who are delivered by another school have moved and count for
	// neither side: so the verdict stays the same once the plan is applied. Nor do
	// those of a source that is missing, or the others would wait with it.
	for i := range f.people {
		p := &f.people[i]
		if a := p.account; !p.sent && a != nil && (a.State == Active || a.State == Leaving) && f.suspended(a) == "" {
			for j := range a.Memberships {
				missing.add(a.Memberships[j].School, a.Role)
				active[a.Memberships[j].School] = active[a.Memberships[j].School] || a.State == Active
			}
		}
	}
	for _, h := range missing.sorted() {
		n := sent.of(h)
		all := n + missing.of(h)
		few := all-n >= 4 && n*100 < all*f.policy.Guards.CollapsePercent
		none := h.role == "" && n == 0 && (all > 1 || active[h.school]) // however small
		if !few && !none || f.schools[h.school] != "" || f.declared("collapse", h.school) != "" {
			continue
		}
		who := h.role.people()
		if by := f.override("collapse", h.school); by != "" {
			f.find("override", "school %s delivers %d of %d %s; accepted by %s", h.school, n, all, who, by)
			continue
		}
		f.schools[h.school] = fmt.Sprintf("school %s delivered %d of %d %s: it counts as not delivered", h.school, n, all,
			who)
		closed := ""
		if none {
			closed = fmt.Sprintf("; if it has closed: school = [{ id = %q, closed = %s }]", h.school, f.now)
		}
		f.find("school-not-delivered", "school %s delivered %d of %d %s: nobody missing there is treated as gone%s",
			h.school, n, all, who, closed).School = h.school
	}
}

// heads counts people by school and role.
type heads map[SchoolID]*[4]int

// roleNumbers are the places of the roles in counts; 0 is for all of them.
func roleNumber(r Role) int {
	switch r {
	case RolePupil:
		return 1
	case RoleTeacher:
		return 2
	case RoleStaff:
		return 3
	}
	return 0
}

func (h heads) add(s SchoolID, r Role) {
	n := h[s]
	if n == nil {
		n = new([4]int)
		h[s] = n
	}
	n[0]++
	if i := roleNumber(r); i > 0 {
		n[i]++
	}
}

func (h heads) of(c headcount) int {
	if n := h[c.school]; n != nil {
		return n[roleNumber(c.role)]
	}
	return 0
}

// sorted lists what was counted, by school and role.
func (h heads) sorted() []headcount {
	var all []headcount
	for s, n := range h {
		for _, r := range []Role{"", RolePupil, RoleStaff, RoleTeacher} {
			if n[roleNumber(r)] > 0 {
				all = append(all, headcount{s, r})
			}
		}
	}
	slices.SortFunc(all, headcount.compare)
	return all
}

// suspended says why the absence of somebody's whole source does not count, or "".
func (f *facts) suspended(a *Account) string {
	for _, s := range f.delivery.Suspended {
		if s.holds(a.Key.ID) {
			return s.Reason
		}
	}
	return ""
}

// shield returns why the absence of an account does not count, or "".
func (f *facts) shield(a *Account) string {
	if f.absence != "" {
		return f.absence
	}
	if why := f.shielded[a.Key]; why != "" {
		return why
	}
	if why := f.suspended(a); why != "" {
		return why
	}
	for _, m := range a.Memberships {
		if why := f.schools[m.School]; why != "" {
			return why
		}
	}
	return ""
}
