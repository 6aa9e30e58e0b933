package addressbook

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Build makes the books that the rules ask for, for each context in which
// somebody may see them. The order of the accounts does not matter. Its only
// error are mistakes in the rules.
//
// Listed are people with a school, a role and a usable mail address whose
// account is active (or, with [Rules.KeepLeaving], leaving). Readers are such
// people with a place in a context.
func Build(rules Rules, accounts []schoolmail.Account) (Desired, error) {
	if err := rules.Validate(); err != nil {
		return Desired{}, err
	}
	b := newBuilder(rules, accounts)
	for _, rule := range rules.Books {
		b.rule(rule)
	}
	return b.result(), nil
}

// person is an account with what the books need of it, made once.
type person struct {
	schoolmail.Account
	entry Entry // with everything that can be shown; Key empty: cannot be listed
}

type classID struct {
	school schoolmail.SchoolID
	class  string
}

type builder struct {
	rules    Rules
	names    map[schoolmail.SchoolID]string
	people   []*person // sorted by key
	bySchool map[schoolmail.SchoolID][]*person
	byClass  map[classID][]*person
	contexts map[schoolmail.ContextID]*ContextBooks
	findings []Finding
}

func newBuilder(rules Rules, accounts []schoolmail.Account) *builder {
	b := &builder{
		rules:    rules,
		names:    map[schoolmail.SchoolID]string{},
		bySchool: map[schoolmail.SchoolID][]*person{},
		byClass:  map[classID][]*person{},
		contexts: map[schoolmail.ContextID]*ContextBooks{},
	}
	for _, s := range rules.Schools {
		b.names[s.ID] = titleText(s.Name)
	}
	unusable, excluded := 0, 0
	for _, a := range accounts {
		if !b.counts(a) {
			continue
		}
		p := &person{Account: a}
		switch {
		case a.Unlisted || slices.ContainsFunc(rules.Exclude, func(x Exclusion) bool { return x.covers(a) }):
			excluded++
		case a.Mail == "" || !usableMail(a.Mail):
			unusable++
		default:
			p.entry = b.entry(a)
		}
		b.people = append(b.people, p)
	}
	if excluded > 0 {
		b.findings = append(b.findings,
			Finding{Text: itoa(excluded) + " people are kept out of all books, as the rules or the directory say"})
	}
	if unusable > 0 {
		b.findings = append(b.findings,
			Finding{Text: itoa(unusable) + " people without a usable mail address are in no book"})
	}
	slices.SortFunc(b.people, func(x, y *person) int {
		return cmp.Or(x.Key.Compare(y.Key), cmp.Compare(x.Username, y.Username))
	})
	b.index()
	return b
}

// counts reports whether the account takes part, as listed and as reader.
func (b *builder) counts(a schoolmail.Account) bool {
	if a.State != schoolmail.Active && !(b.rules.KeepLeaving && a.State == schoolmail.Leaving) {
		return false
	}
	return a.Role.Valid() && len(a.Memberships) > 0
}

func (b *builder) index() {
	for _, p := range b.people {
		for _, m := range p.Memberships {
			b.bySchool[m.School] = appendOnce(b.bySchool[m.School], p)
			for _, c := range m.Classes {
				id := classID{m.School, c}
				b.byClass[id] = appendOnce(b.byClass[id], p)
			}
		}
		if p.Context == 0 {
			continue
		}
		c := b.contexts[p.Context]
		if c == nil {
			c = &ContextBooks{Context: p.Context}
			b.contexts[p.Context] = c
		}
		c.Logins = append(c.Logins, Login{Username: p.Username, Mail: p.Mail})
	}
}

// appendOnce relies on all of a person's memberships coming in a row.
func appendOnce(list []*person, p *person) []*person {
	if len(list) > 0 && list[len(list)-1] == p {
		return list
	}
	return append(list, p)
}

// entry makes a person's entry with everything that can be shown.
func (b *builder) entry(a schoolmail.Account) Entry {
	e := Entry{
		Key:         b.rules.entryKey(personKey, personID(a)...),
		DisplayName: fieldText(a.DisplayName, maxDisplay),
		GivenName:   fieldText(a.GivenName, maxField),
		FamilyName:  fieldText(a.FamilyName, maxField),
		Mail:        a.Mail,
	}
	if e.DisplayName == "" {
		e.DisplayName = strings.TrimSpace(e.GivenName + " " + e.FamilyName)
	}
	if e.DisplayName == "" {
		e.DisplayName = a.Mail
	}
	var schools, classes []string
	for _, m := range a.Memberships {
		schools = append(schools, b.schoolName(m.School))
		classes = append(classes, m.Classes...)
	}
	e.Phone, e.School, e.Class = fieldText(a.Phone, maxPhone), joined(schools), joined(classes)
	return e
}

// shownTo says what is shown of the people of each role to readers of these roles.
func shownTo(show []Show, readers map[schoolmail.Role]bool) map[schoolmail.Role]map[Field]bool {
	out := map[schoolmail.Role]map[Field]bool{}
	for _, s := range show {
		fields := map[Field]bool{}
		for _, f := range s.Fields {
			to := s.To
			if len(to) == 0 && f == FieldPhone {
				to = []schoolmail.Role{schoolmail.RoleTeacher, schoolmail.RoleStaff}
			}
			fields[f] = true
			for r := range readers {
				fields[f] = fields[f] && (len(to) == 0 || slices.Contains(to, r))
			}
		}
		out[s.Role] = fields
	}
	return out
}

// limited is an entry with only the fields that are shown.
func (e Entry) limited(fields map[Field]bool) Entry {
	if !fields[FieldPhone] {
		e.Phone = ""
	}
	if !fields[FieldSchool] {
		e.School = ""
	}
	if !fields[FieldClass] {
		e.Class = ""
	}
	return e
}

func joined(names []string) string {
	slices.Sort(names)
	return fieldText(strings.Join(slices.Compact(names), ", "), maxField)
}

func (b *builder) schoolName(id schoolmail.SchoolID) string {
	if n := b.names[id]; n != "" {
		return n
	}
	return string(id)
}

// rule makes all books of a rule.
func (b *builder) rule(rule BookRule) {
	wanted := func(s schoolmail.SchoolID) bool {
		return len(rule.Schools) == 0 || slices.Contains(rule.Schools, s)
	}
	switch rule.Each {
	case District:
		people := b.people
		if len(rule.Schools) > 0 {
			people = nil
			for _, p := range b.people {
				if slices.ContainsFunc(p.Memberships, func(m schoolmail.Membership) bool { return wanted(m.School) }) {
					people = append(people, p)
				}
			}
		}
		b.book(rule, "", "", people)
	case PerSchool:
		for _, s := range slices.Sorted(maps.Keys(b.bySchool)) {
			if wanted(s) {
				b.book(rule, s, "", b.bySchool[s])
			}
		}
	case PerClass:
		ids := slices.SortedFunc(maps.Keys(b.byClass), func(x, y classID) int {
			return cmp.Or(cmp.Compare(x.school, y.school), cmp.Compare(x.class, y.class))
		})
		for _, id := range ids {
			if wanted(id.school) {
				b.book(rule, id.school, id.class, b.byClass[id])
			}
		}
	}
}

// book makes one book in all contexts that have readers for it.
func (b *builder) book(rule BookRule, school schoolmail.SchoolID, class string, people []*person) {
	fill := func(template string) string {
		return expand(template, b.schoolName(school), string(school), class)
	}
	book := Book{
		Key:    strings.TrimRight(rule.Name+"/"+string(school)+"/"+class, "/"),
		Rule:   rule.Name,
		School: school,
		Class:  class,
	}
	var members []Member
	roles := map[string]schoolmail.Role{} // of the entries, by key
	for _, p := range people {
		if p.entry.Key != "" && slices.Contains(rule.Roles, p.Role) {
			book.Entries = append(book.Entries, p.entry)
			roles[p.entry.Key] = p.Role
			members = append(members, Member{Name: p.entry.DisplayName, Mail: p.entry.Mail})
		}
	}
	if len(book.Entries) == 0 {
		return
	}
	slices.SortFunc(book.Entries, compareEntries)
	for i, t := range rule.Folder {
		book.Path = append(book.Path, cmp.Or(titleText(fill(t)), "-"))
		if i < len(rule.Folder)-1 { // by id, so that it survives a new name of the school
			book.Above = append(book.Above, expand(strings.Join(rule.Folder[:i+1], "\x00"), string(school), string(school),
				class))
		}
	}
	if rule.List != "" {
		sortMembers(members)
		book.Entries = append(book.Entries, Entry{
			Key:         b.rules.entryKey(bookKey, book.Key),
			DisplayName: fieldText(fill(rule.List), maxDisplay),
			Members:     members,
		})
	}
	audiences, eyes := b.audiences(rule, school, class, people)
	show := b.rules.Show
	if len(rule.Show) > 0 {
		show = rule.Show
	}
	for c, a := range audiences {
		inContext := book
		inContext.Readers = a
		shown := shownTo(show, eyes[c])
		inContext.Entries = make([]Entry, len(book.Entries))
		for i, e := range book.Entries {
			inContext.Entries[i] = e.limited(shown[roles[e.Key]])
		}
		b.contexts[c].Books = append(b.contexts[c].Books, inContext)
	}
}

// audiences are the readers of a book in each context, and the roles they have.
func (b *builder) audiences(rule BookRule, school schoolmail.SchoolID, class string, people []*person) (
	audiences map[schoolmail.ContextID][]Audience, eyes map[schoolmail.ContextID]map[schoolmail.Role]bool) {
	audiences, eyes = map[schoolmail.ContextID][]Audience{}, map[schoolmail.ContextID]map[schoolmail.Role]bool{}
	for _, rd := range rule.Readers {
		from := people
		switch rd.Of {
		case District:
			from = b.people
		case PerSchool:
			from = b.bySchool[school]
		case PerClass:
			from = b.byClass[classID{school, class}]
		}
		users := map[schoolmail.ContextID][]string{}
		for _, p := range from {
			if p.Context == 0 || !slices.Contains(rd.Roles, p.Role) {
				continue
			}
			users[p.Context] = append(users[p.Context], p.Username)
			if eyes[p.Context] == nil {
				eyes[p.Context] = map[schoolmail.Role]bool{}
			}
			eyes[p.Context][p.Role] = true
		}
		var groups []string
		for _, g := range rd.Groups {
			groups = append(groups, expand(g, b.schoolName(school), string(school), class))
		}
		for c, names := range users {
			slices.Sort(names)
			audiences[c] = append(audiences[c], Audience{Users: names, Groups: groups,
				Ungrouped: cmp.Or(rd.Ungrouped, UngroupedSingly)})
		}
	}
	return audiences, eyes
}

func (b *builder) result() Desired {
	d := Desired{Findings: b.findings}
	for _, id := range slices.Sorted(maps.Keys(b.contexts)) {
		c := b.contexts[id]
		slices.SortFunc(c.Books, func(x, y Book) int { return cmp.Compare(x.Key, y.Key) })
		slices.SortFunc(c.Logins, func(x, y Login) int { return cmp.Compare(x.Username, y.Username) })
		d.Findings = append(d.Findings, separate(c)...)
		d.Contexts = append(d.Contexts, *c)
	}
	slices.SortFunc(d.Findings, compareFindings)
	return d
}

// separate makes one container of those that would have the same title (case
// folded, as people read them) and gives books that would a number.
func separate(c *ContextBooks) []Finding {
	fold := func(path []string) string { return strings.ToLower(strings.Join(path, "\x00")) }
	type container struct{ title, name string }
	taken := map[string]bool{}
	first := map[string]container{}
	for i := range c.Books {
		path, above := slices.Clone(c.Books[i].Path), slices.Clone(c.Books[i].Above)
		for n := range above {
			f := fold(path[:n+1])
			if known, ok := first[f]; ok {
				path[n], above[n] = known.title, known.name
			} else {
				first[f] = container{path[n], above[n]}
			}
			taken[f] = true
		}
		c.Books[i].Path, c.Books[i].Above = path, above
	}
	var findings []Finding
	for i := range c.Books {
		path := c.Books[i].Path
		last := len(path) - 1
		title := path[last]
		for n := 2; taken[fold(path)]; n++ {
			path[last] = title + " (" + itoa(n) + ")"
		}
		taken[fold(path)] = true
		if path[last] != title {
			findings = append(findings, Finding{Context: c.Context, Book: c.Books[i].Key,
				Text: "another folder has the same title; this one gets a number"})
		}
	}
	return findings
}
