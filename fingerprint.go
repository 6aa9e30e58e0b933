package schoolmail

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
	"math"
	"slices"
	"strings"
)

// sortedState has the order in which a state is looked at, whatever the order in
// which the servers listed things.
type sortedState struct {
	state    *State
	accounts []ranked // by user name
	places   []ranked // by context and id
	reading  *reading
}

// reading is what one walk through all accounts and places finds out, beside the
// fingerprint: to fetch their texts from memory costs more than what is done
// with them, so that it is done once.
type reading struct {
	users     []uint64   // of each account in order: hash of the user name
	names     []uint64   // hash of the display name; 0: it has none
	only      []int32    // of each account by its number: that of the only school, from 1; 0: none or several
	schools   []SchoolID // of accounts, by number
	renamed   []int32    // numbers of accounts with former names, in order
	strangers []int32    // of people's accounts without a record id
	placed    []uint64   // of each place in order: hash of the user name
	known     chan struct{}
	sum       string
	done      chan struct{} // closed once the fingerprint is there, known before, once all else is
}

func (st *State) sort() sortedState {
	s := sortedState{state: st, places: st.rankPlaces()}
	s.accounts = rank(len(st.Accounts), func(i int32) string { return st.Accounts[i].Username }, s.compareNamesakes)
	n := len(st.Accounts)
	s.reading = &reading{users: make([]uint64, n), names: make([]uint64, n), only: make([]int32, n),
		placed: make([]uint64, len(st.Places)), known: make(chan struct{}), done: make(chan struct{})}
	go s.walk()
	return s
}

// read returns what [reading] has but the fingerprint.
func (s *sortedState) read() *reading {
	<-s.reading.known
	return s.reading
}

// fingerprint waits until everything is read: until then nobody may change the state.
func (s *sortedState) fingerprint() string {
	<-s.reading.done
	return s.reading.sum
}

// compare orders accounts by user name.
func (s *sortedState) compare(i, j int32) int {
	return cmp.Or(strings.Compare(s.state.Accounts[i].Username, s.state.Accounts[j].Username), s.compareNamesakes(i, j))
}

// compareNamesakes orders accounts of one user name.
func (s *sortedState) compareNamesakes(i, j int32) int {
	a, b := &s.state.Accounts[i], &s.state.Accounts[j]
	return cmp.Or(strings.Compare(a.DN, b.DN), a.Key.Compare(b.Key))
}

// rankPlaces sorts the users in OX by context and id.
func (st *State) rankPlaces() []ranked {
	list := make([]ranked, len(st.Places))
	small := true // both numbers fit into a prefix
	for i := range list {
		c, u := st.Places[i].Context, st.Places[i].UserID
		small = small && 0 <= c && c <= math.MaxInt32 && 0 <= u && u <= math.MaxInt32
		list[i] = ranked{uint64(uint32(c))<<32 | uint64(uint32(u)), int32(i)}
	}
	compare := func(x, y ranked) int {
		a, b := &st.Places[x.at], &st.Places[y.at]
		return cmp.Or(cmp.Compare(a.Context, b.Context), cmp.Compare(a.UserID, b.UserID),
			strings.Compare(a.Username, b.Username), cmp.Compare(x.at, y.at))
	}
	if !small {
		slices.SortFunc(list, compare)
		return list
	}
	list = byPrefix(list)
	sortRuns(list, compare)
	return list
}

// Fingerprint identifies an observed state whatever the order in which the
// servers listed things.
func (st State) Fingerprint() string {
	s := st.sort()
	return s.fingerprint()
}

func (s sortedState) walk() {
	defer close(s.reading.done)
	d := newDigest()
	d.number(len(s.accounts))
	schools := schoolNumbers{reading: s.reading}
	for from := 0; from < len(s.accounts); from += few {
		s.readAccounts(d, from, min(from+few, len(s.accounts)), &schools)
	}
	contexts := slices.Clone(s.state.Contexts)
	slices.SortFunc(contexts, func(a, b Context) int { return cmp.Compare(a.ID, b.ID) })
	d.number(len(contexts))
	for _, c := range contexts {
		d.number(int(c.ID))
		d.text(c.Name)
		d.number(c.Users)
	}
	d.number(len(s.places))
	for from := 0; from < len(s.places); from += few {
		s.readPlaces(d, from, min(from+few, len(s.places)))
	}
	close(s.reading.known)
	retired := slices.Clone(s.state.Retired)
	slices.SortFunc(retired, func(a, b RetiredName) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Since, b.Since))
	})
	d.number(len(retired))
	for _, r := range retired {
		d.text(r.Name)
		d.number(int(r.Since))
		d.pass()
	}
	left := slices.Clone(s.state.Leftovers)
	slices.SortFunc(left, func(a, b Leftover) int {
		return cmp.Or(strings.Compare(a.Username, b.Username), cmp.Compare(a.Context, b.Context),
			cmp.Compare(a.UserID, b.UserID))
	})
	d.number(len(left))
	for _, l := range left {
		d.text(l.Username)
		d.number(int(l.Context))
		d.number(int(l.UserID))
	}
	for _, c := range contexts {
		if c.Updating {
			d.text("updating")
			d.number(int(c.ID))
		}
	}
	if s.state.NoRenames != "" {
		d.text("no-renames")
		d.text(s.state.NoRenames)
	}
	if s.state.NoCopies != "" {
		d.text("no copies")
		d.text(s.state.NoCopies)
	}
	s.reading.sum = d.sum()
}

func (s *sortedState) readAccounts(d *digest, from, to int, schools *schoolNumbers) {
	r := s.reading
	s.fetchAccounts(s.accounts[from:to])
	for i := from; i < to; i++ {
		r.users[i] = hashOf(s.state.Accounts[s.accounts[i].at].Username)
	}
	for i := from; i < to; i++ {
		if name := s.state.Accounts[s.accounts[i].at].DisplayName; name != "" {
			r.names[i] = hashName(name)
		}
	}
	for i := from; i < to; i++ {
		at := s.accounts[i].at
		a := &s.state.Accounts[at]
		if len(a.Memberships) == 1 {
			r.only[at] = schools.of(a.Memberships[0].School)
		}
		if len(a.Former) > 0 {
			r.renamed = append(r.renamed, at)
		}
		if a.Key.ID == "" && a.Role.Valid() {
			r.strangers = append(r.strangers, at)
		}
	}
	for i := from; i < to; i++ {
		d.account(&s.state.Accounts[s.accounts[i].at])
	}
}

func (s *sortedState) readPlaces(d *digest, from, to int) {
	s.fetchPlaces(s.places[from:to])
	for i := from; i < to; i++ {
		s.reading.placed[i] = hashOf(s.state.Places[s.places[i].at].Username)
	}
	for _, r := range s.places[from:to] {
		p := &s.state.Places[r.at]
		d.number(int(p.Context))
		d.number(int(p.UserID))
		d.flag(p.MailEnabled)
		d.flag(p.Admin)
		for _, t := range [...]string{p.Username, p.Mail, p.DisplayName, p.GivenName, p.FamilyName} {
			d.text(t)
		}
		d.pass()
	}
}

// schoolNumbers gives schools the numbers of their places in [reading], from 1.
type schoolNumbers struct {
	*reading
	numbers table[int32]
}

func (n *schoolNumbers) of(s SchoolID) int32 {
	if n.numbers.slots == nil {
		n.numbers = newTable[int32](64)
	}
	for h := hashOf(string(s)); ; h = mixed(h) {
		number, known := n.numbers.entry(h)
		if !known {
			n.schools = append(n.schools, s)
			*number = int32(len(n.schools))
		}
		if n.schools[*number-1] == s {
			return *number
		}
	}
}

// Fingerprint identifies a policy, with its defaults filled in.
func (p Policy) Fingerprint() string { return fingerprint(p.WithDefaults()) }

// digest is a SHA-256 of fields: texts with their lengths, numbers as varints,
// so that no two sequences of fields look alike.
type digest struct {
	hash hash.Hash
	buf  []byte
}

func newDigest() *digest { return &digest{sha256.New(), make([]byte, 0, 1<<15)} }

// pass hands on what is complete, once it is enough to be worth it.
func (d *digest) pass() {
	if len(d.buf) > 1<<14 {
		d.hash.Write(d.buf)
		d.buf = d.buf[:0]
	}
}

func (d *digest) number(n int) {
	if 0 <= n && n < 64 {
		d.buf = append(d.buf, byte(n<<1)) // as a varint
		return
	}
	d.buf = binary.AppendVarint(d.buf, int64(n))
}

func (d *digest) text(s string) {
	d.number(len(s))
	d.buf = append(d.buf, s...)
}

func (d *digest) flag(b bool) {
	n := byte(0)
	if b {
		n = 1
	}
	d.buf = append(d.buf, n<<1)
}

func (d *digest) sum() string {
	d.hash.Write(d.buf)
	d.buf = d.buf[:0]
	return hex.EncodeToString(d.hash.Sum(nil))
}

func (d *digest) account(a *Account) {
	texts := [...]*string{&a.Key.Source, &a.Key.ID, &a.Username, (*string)(&a.Role), &a.GivenName, &a.FamilyName,
		&a.DisplayName, &a.Mail, &a.Phone, &a.NoticeMail, &a.Language, &a.Access, (*string)(&a.State), &a.Traits.Birth,
		&a.Traits.Number, &a.DN}
	b := d.buf
	for _, t := range texts {
		if n := len(*t); n < 64 {
			b = append(append(b, byte(n<<1)), *t...)
		} else {
			b = append(binary.AppendVarint(b, int64(n)), *t...)
		}
	}
	d.buf = b
	aliases := a.Aliases
	if !slices.IsSorted(aliases) {
		aliases = slices.Sorted(slices.Values(aliases))
	}
	d.number(len(aliases))
	for _, s := range aliases {
		d.text(s)
	}
	d.number(len(a.Memberships))
	for i := range a.Memberships {
		m := &a.Memberships[i]
		d.text(string(m.School))
		d.text(string(m.Level))
		d.number(int(m.From))
		d.number(int(m.Until))
		d.number(len(m.Classes))
		for _, c := range m.Classes {
			d.text(c)
		}
	}
	d.number(len(a.Marks))
	for i := range a.Marks {
		m := &a.Marks[i]
		d.text(m.Guard)
		d.number(int(m.On))
		d.text(string(m.Role))
		d.text(string(m.School))
		d.number(int(m.From))
	}
	for _, n := range [...]int{int(a.Context), int(a.NoticedOn), int(a.Deactivated), int(a.Previous.Context),
		int(a.Previous.UserID), int(a.Previous.Since), int(a.Made)} {
		d.number(n)
	}
	d.flag(a.Held)
	unlisted := 0
	if a.Unlisted {
		unlisted = 1
	}
	d.number(unlisted + 2*int(a.RemindedOn))
	if len(a.Former) > 0 || a.Called != "" {
		d.text(a.Called)
	}
	for i := range a.Former {
		f := &a.Former[i]
		d.text(f.Username)
		d.text(f.Mail)
		d.number(int(f.Until))
		d.flag(f.Told)
	}
	d.pass()
}

// fingerprint returns the hexadecimal SHA-256 of the JSON of a value, for few and
// small ones.
func fingerprint(v any) string {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(v); err != nil {
		return "" // plain data can always be written
	}
	return hex.EncodeToString(h.Sum(nil))
}
