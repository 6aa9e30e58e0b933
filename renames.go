package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// RenameRequest asks for somebody to be renamed. What is left empty is as the scheme of
// names says, from the names of the record.
type RenameRequest struct {
	ID         string `json:"id"` // of the person's record, in the policy's source
	GivenName  string `json:"given_name,omitempty"`
	FamilyName string `json:"family_name,omitempty"`
	Mail       string `json:"mail,omitempty"`
	Username   string `json:"username,omitempty"`
	By         string `json:"by"` // who decided it
}

// FollowFamilyName says what is done when somebody's family name changes, as after a
// marriage.
type FollowFamilyName string

// What can be done.
const (
	FollowNo  FollowFamilyName = "no"  // the same as "": names are shown as delivered; user name and address stay
	FollowAsk FollowFamilyName = "ask" // as no, and a rename is proposed
	FollowYes FollowFamilyName = "yes" // a rename is planned, within the guards
)

func (n *Naming) follows() bool {
	return n.FollowFamilyName == FollowAsk || n.FollowFamilyName == FollowYes
}

// DefaultOldAddressDays is how long the old address of somebody renamed stays an alias.
const DefaultOldAddressDays = 180

func (p *Policy) checkRenames(bad func(format string, a ...any)) {
	if f := p.Naming.FollowFamilyName; !slices.Contains([]FollowFamilyName{"", FollowNo, FollowAsk, FollowYes}, f) {
		bad("naming: follow_family_name %q: expected no, ask or yes", f)
	}
	if n := p.Naming.OldAddressDays; n < 0 {
		bad("naming: old_address_days %d: expected a number of days", n)
	}
	for _, r := range p.Renames {
		if r.ID == "" || r.By == "" {
			bad("a rename needs the id of a record, and somebody who decided it")
		}
		if _, domain, ok := strings.Cut(r.Mail, "@"); r.Mail != "" && (!ok ||
			!slices.ContainsFunc(p.Populations, func(x Population) bool { return x.Domain == domain }) ||
			strings.TrimSuffix(r.Mail, "@"+domain) != foldASCII(strings.TrimSuffix(r.Mail, "@"+domain), ".-_")) {
			bad("address %q: expected small letters, digits and .-_ before the @, and a domain of some population behind it",
				r.Mail)
		}
		if u := r.Username; u != "" && (u != foldASCII(u, ".-_") || len(u) > p.Naming.MaxUsername ||
			strings.Trim(u, "0123456789") == "") {
			bad("user name %q: expected at most %d small letters, digits and .-_, not digits alone", u, p.Naming.MaxUsername)
		}
	}
}

// request returns the rename that is asked for of a record, or nil.
func (p *Policy) request(key RecordKey) *RenameRequest {
	for i := range p.Renames {
		if r := &p.Renames[i]; r.ID == key.ID && key.Source == p.Source {
			return r
		}
	}
	return nil
}

// renaming looks whether somebody who stays is to be renamed, or whether an old address
// has come to its end, and returns the step; nil: neither.
func (d *decisions) renaming(r *prepared, rec *Record) *Step {
	a := r.cur
	if len(r.chain) > 0 || a.State != Active {
		return nil
	}
	if a.unfinished() != nil {
		return d.completion(r)
	}
	if w, fields, reason := d.newNames(r, rec); w != nil {
		s := newStep(KindRename, a, reason, Rename{Before: *a, After: *w, Fields: fields, Access: r.access})
		r.want, r.fields = w, fields
		return &s
	}
	return d.retirement(r)
}

// completion completes a rename that was cut off.
func (d *decisions) completion(r *prepared) *Step {
	d.asked[r.cur.Key.ID] = true
	w := d.copyOf(r.cur)
	w.Former = slices.Clone(w.Former)
	f := w.unfinished()
	f.Told = true
	if f.Username == w.Username { // cut off before the entry had the new one
		f.Username = ""
		d.find("rename-in-part", "%s keeps the user name: an earlier run was cut off before it could give another; "+
			"whoever asked for it asks again", w.Username).Key = w.Key
	}
	r.want, r.fields = w, []string{"former"}
	s := newStep(KindRename, r.cur, "an earlier run was cut off while it renamed the person",
		Rename{Before: *r.cur, After: *w, Fields: r.fields, Access: r.access})
	return &s
}

// retirement ends old addresses whose day has come.
func (d *decisions) retirement(r *prepared) *Step {
	w := r.want
	ended := func(f Former) bool { return f.ended(d.now) }
	if !slices.ContainsFunc(r.cur.Former, ended) {
		return nil
	}
	w.Former = slices.DeleteFunc(slices.Clone(r.cur.Former), ended)
	w.Aliases = slices.DeleteFunc(slices.Clone(r.cur.Aliases), func(s string) bool {
		of := func(f Former) bool { return f.Mail == s }
		return slices.ContainsFunc(r.cur.Former, of) && !slices.ContainsFunc(w.Former, of)
	})
	r.fields = append(slices.Clone(r.fields), "aliases", "former")
	s := changeStep(r.cur, w, r.fields, r.access)
	return &s
}

// newNames are the account under the names that it shall get, what changes and why;
// nil: it stays as it is.
func (d *decisions) newNames(r *prepared, rec *Record) (w *Account, fields []string, reason string) {
	q := d.policy.request(rec.Key)
	follows := q == nil && d.policy.Naming.follows() && d.newFamilyName(r)
	if q == nil && !follows {
		return nil, nil, ""
	}
	d.asked[rec.Key.ID] = q != nil
	given, family, unspelled := d.spelling(rec)
	if q != nil && q.GivenName+q.FamilyName != "" {
		given = cmp.Or(d.policy.Naming.spell(q.GivenName), given)
		family = cmp.Or(d.policy.Naming.spell(q.FamilyName), family)
		unspelled = cmp.Or(unspellable(given), unspellable(family))
	}
	want := &wish{d: d, r: r, rec: rec, cur: r.cur, q: q, given: given, family: family}
	if want.q == nil {
		want.q = &RenameRequest{}
	}
	limit := d.policy.Naming.MaxUsername
	if rec.Role == RolePupil {
		limit = d.policy.Naming.MaxPupilUsername
	}
	want.limit = limit
	if unspelled != "" {
		d.holdRename(r, *r.want, guardSpelling, unspelled)
		return nil, nil, ""
	}
	mail, why := want.address()
	if why != "" {
		d.holdRename(r, *r.want, "", why)
		return nil, nil, ""
	}
	username, why := want.username()
	if follows && d.policy.Naming.FollowFamilyName == FollowAsk {
		if mail != r.cur.Mail || username != r.cur.Username {
			d.find("rename-proposed", "%s is now called %s %s: provision -rename %s would make the address %s", r.cur.Username,
				r.want.GivenName, r.want.FamilyName, rec.Key.ID, mail).Key = rec.Key
		}
		return nil, nil, ""
	}
	if why != "" {
		x := want.account(mail, want.wished)
		d.holdRename(r, *x, "", why)
	}
	w = want.account(mail, username)
	fields = slices.Clone(r.fields)
	for _, f := range []struct {
		name    string
		differs bool
	}{{"username", w.Username != r.cur.Username}, {"mail", w.Mail != r.cur.Mail},
		{"aliases", !slices.Equal(w.Aliases, r.cur.Aliases)}, {"called", w.Called != r.cur.Called},
		{"display_name", w.DisplayName != r.cur.DisplayName && !slices.Contains(fields, "display_name")}} {
		if f.differs {
			fields = append(fields, f.name)
		}
	}
	if w.Username == r.cur.Username && w.Mail == r.cur.Mail && w.Called == r.cur.Called {
		if q != nil && why == "" {
			d.find("renamed-already", "%s has the names already that the scheme gives", r.cur.Username).Key = rec.Key
		}
		return nil, nil, ""
	}
	w.Marks = d.marked(r.cur, w, fields)
	reason = "the family name has changed"
	if q != nil {
		reason = "asked for by " + q.By
	}
	return w, append(fields, "former"), reason
}

// renamesThatWait tells of whom a rename is asked for and nothing can be planned today.
func (d *decisions) renamesThatWait() {
	for _, q := range d.policy.Renames {
		if !d.asked[q.ID] {
			d.find("rename-waits", "record %s is not renamed today: renamed is who is delivered, has an open account that is "+
				"not on hold, and neither moves nor comes back on the same day", q.ID).Key = RecordKey{d.policy.Source, q.ID}
		}
	}
}

func (d *decisions) holdRename(r *prepared, w Account, guard, why string) {
	s := newStep(KindRename, r.cur, "a rename", Rename{Before: *r.cur, After: w, Fields: []string{"username", "mail"},
		Access: r.access})
	s.ID = "rename-not:" + r.cur.Key.String() // a part may be done all the same
	d.hold(s, guard, why)
}

// namesStay reports whether it costs no closer look to know that somebody is neither
// renamed, nor was.
func (f *facts) namesStay(a *Account) bool {
	return len(a.Former) == 0 && a.Called == "" && (len(f.policy.Renames) == 0 || f.policy.request(a.Key) == nil) &&
		(len(a.Marks) == 0 || !f.policy.Naming.follows())
}

// newFamilyName reports whether the family name changes, or has changed lately.
func (d *decisions) newFamilyName(r *prepared) bool {
	if slices.Contains(r.fields, "family_name") {
		return true
	}
	return slices.ContainsFunc(r.cur.Marks, func(m Mark) bool { return m.Guard == "renames" && d.recent(m.On) }) &&
		len(r.cur.Former) == 0
}

// wish finds the names that somebody shall get.
type wish struct {
	d             *decisions
	r             *prepared
	rec           *Record
	cur           *Account
	q             *RenameRequest
	given, family string
	limit         int
	wished        string // user name that they cannot get for now
}

// own reports whether a name is or was the person's own.
func (w *wish) own(name string) bool {
	return name == w.cur.Mail || name == w.cur.Username || slices.Contains(w.cur.Aliases, name) ||
		slices.ContainsFunc(w.cur.Former, func(f Former) bool { return f.Mail == name || f.Username == name })
}

func (w *wish) names() *names {
	d := w.d
	n := &d.names
	if w.q.By == "" && d.policy.Naming.FollowFamilyName == FollowAsk {
		n = &d.proposed // what is only proposed takes no name
	}
	if *n == nil {
		*n = newNames(d.state, d.named, len(d.people))
		(*n).follow(&d.policy.Naming)
	}
	return *n
}

// address is the new address, or why it cannot be given.
func (w *wish) address() (mail, why string) {
	if m := w.q.Mail; m != "" {
		local, _, _ := strings.Cut(m, "@")
		if !w.own(m) && (w.names().has(m) || w.names().reserved[local]) {
			return "", "the address " + m + " is or was somebody else's"
		}
		w.names().take(m)
		return m, ""
	}
	return w.names().again(w.mailForm(), w.own), ""
}

// has reports whether a name is taken.
func (n *names) has(s string) bool {
	_, taken := n.used.get(hashOf(s))
	return taken
}

// again returns the first of the names with a number, from 1, that is the person's own
// or nobody's: who has a name that the scheme gives keeps it.
func (n *names) again(form func(int) string, own func(string) bool) string {
	for i := 1; ; i++ {
		name := form(i)
		local, _, _ := strings.Cut(name, "@")
		if own(name) || !n.reserved[local] && n.unused(name) {
			return name
		}
	}
}

// userForm forms user names with a number as those of newcomers are.
func (w *wish) userForm() func(int) string {
	form := func(i int) string {
		base := usernameBase(w.given, w.family, w.limit)
		if i == 1 {
			return base
		}
		number := strconv.Itoa(i)
		return cut(base, w.limit-len(number)) + number
	}
	if s := w.names().userScheme; s != nil {
		p := s.parts(w.rec, w.given, w.family)
		form = func(i int) string { return s.form(p, i, w.limit) }
	}
	return func(i int) string {
		if name := form(i); !isDevice(name) {
			return name
		}
		return apart(form(1), max(i, 2), w.limit)
	}
}

// mailForm forms addresses with a number as those of newcomers are.
func (w *wish) mailForm() func(int) string {
	domain := w.r.pop.Domain
	if s := w.names().mailScheme; s != nil {
		p := s.parts(w.rec, w.given, w.family)
		return func(i int) string { return s.form(p, i, mailLimit) + "@" + domain }
	}
	base := addressBase(w.given, w.family)
	return func(i int) string {
		if i == 1 {
			return base + "@" + domain
		}
		return base + strconv.Itoa(i) + "@" + domain
	}
}

// username is the new user name, and why it is not the one that was wished.
func (w *wish) username() (name, why string) {
	allowed := w.d.policy.Naming.ChangeUsernames
	if u := w.q.Username; u != "" {
		if !w.own(u) && w.names().has(u) {
			w.wished = w.cur.Username
			return w.cur.Username, "the user name " + u + " is or was somebody else's"
		}
		w.wished = u
		if !allowed {
			return w.cur.Username, "this site changes no user names: change_usernames in [naming]"
		}
	} else {
		if !allowed {
			return w.cur.Username, ""
		}
		w.wished = w.names().again(w.userForm(), w.own)
	}
	if w.wished == w.cur.Username {
		return w.wished, ""
	}
	if why := w.d.noNewUsername(w.cur); why != "" {
		return w.cur.Username, why
	}
	w.names().take(w.wished)
	return w.wished, ""
}

// noNewUsername says why somebody's user name cannot change for now, or "".
func (d *decisions) noNewUsername(a *Account) string {
	switch {
	case d.state.NoRenames != "":
		return d.state.NoRenames
	case a.Previous.Context != 0:
		return fmt.Sprintf("the old copy in context %d has the user name, and is still kept", a.Previous.Context)
	case slices.ContainsFunc(d.state.Leftovers, func(l Leftover) bool { return l.Username == a.Username }):
		return "a copy that was cut off has the user name"
	case len(d.elsewhere[a.Username]) > 0:
		return "another context has a user of this name, too"
	}
	return ""
}

// account is the account under its new names.
func (w *wish) account(mail, username string) *Account {
	x := *w.r.want
	x.Username, x.Mail = username, mail
	former := Former{Until: w.d.now.AddDays(cmp.Or(w.d.policy.Naming.OldAddressDays, DefaultOldAddressDays)), Told: true}
	if username != w.cur.Username {
		former.Username = w.cur.Username
	}
	x.Aliases = slices.Clone(w.cur.Aliases)
	if mail != w.cur.Mail {
		former.Mail = w.cur.Mail
		x.Aliases = append(x.Aliases, w.cur.Mail)
	}
	x.Aliases = slices.DeleteFunc(x.Aliases, func(s string) bool { return s == mail })
	slices.Sort(x.Aliases)
	x.Aliases = slices.Compact(x.Aliases)
	// What becomes a name of today again is none of the past.
	x.Former = slices.DeleteFunc(slices.Clone(w.cur.Former), func(f Former) bool {
		return f.Mail == mail && (f.Username == "" || f.Username == username)
	})
	x.Former = append(x.Former, former)
	x.Called = ""
	if w.q.GivenName+w.q.FamilyName != "" {
		x.Called = cleanName(cmp.Or(w.q.GivenName, x.GivenName) + " " + cmp.Or(w.q.FamilyName, x.FamilyName))
	}
	plain := cmp.Or(x.Called, cleanName(x.GivenName+" "+x.FamilyName))
	x.DisplayName = plain
	if owner := w.d.display.of(plain); owner != "" && owner != w.cur.Username {
		x.DisplayName = plain + " (" + username + ")"
	}
	w.d.display.give(w.d.display.entry(x.DisplayName), w.cur.Username)
	return &x
}
