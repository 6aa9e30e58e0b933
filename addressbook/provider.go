package addressbook

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// ProviderOptions describe the directory for [ProviderFiles].
type ProviderOptions struct {
	Host         string            // of the LDAP server; required
	Port         int               // 0 means 7636, the TLS port of UCS; check what "requiretls" of your release expects
	BaseDN       string            // required
	BindDN       string            // of a read-only account; required
	BindPassword schoolmail.Secret // empty: a text to replace is written
	// Filter must hold for everybody shown. Empty means "(mailPrimaryAddress=*)".
	// A site should narrow it to accounts that are in use.
	Filter string
}

// ProviderFile is one generated file.
type ProviderFile struct {
	Name   string
	Data   []byte
	Secret bool // holds the bind password: write it with mode 0600
}

// ProviderFiles generates, from the same rules, the configuration of
// Open-Xchange's LDAP contacts provider (7.10.6 and later, package
// open-xchange-contacts-provider-ldap), for sites that rather show the
// directory itself than copies:
//
//   - ldap-client-config.yml, contacts-provider-ldap-mappings.yml and
//     contacts-provider-ldap.yml for Open-Xchange's etc directory,
//   - contacts-ldap-accounts.csv: which user gets which providers, to be set per
//     user as the property com.openexchange.contacts.ldap.accounts.
//
// There is one provider per audience (a role of a class, a school or the district), with one
// folder for each book that this audience may read. The filters expect the
// object classes of UCS@school and, for classes, the memberOf overlay.
//
// The provider cannot do everything; the findings say what: no distribution
// lists, no groups as readers (every user is assigned), no class names, a flat
// list of folders. Books that list pupils show name and address only, of everybody in them.
//
// Sources: OX documentation "Contacts Provider LDAP" and "LDAP Client
// Configuration" (8.x) and the configuration parser of the provider.
func ProviderFiles(rules Rules, accounts []schoolmail.Account, opts *ProviderOptions,
) ([]ProviderFile, []Finding, error) {
	if opts == nil || opts.Host == "" || opts.BaseDN == "" || opts.BindDN == "" {
		return nil, nil, errors.New("addressbook: provider: host, base DN and bind DN are needed")
	}
	own := *opts
	own.Port = cmp.Or(own.Port, 7636)
	own.Filter = cmp.Or(own.Filter, "(mailPrimaryAddress=*)")
	if err := rules.Validate(); err != nil {
		return nil, nil, err
	}
	p := &providers{opts: own, rules: rules, builder: newBuilder(rules, accounts), byName: map[string]*provider{},
		users: map[Login]assignment{}}
	for _, rule := range rules.Books {
		p.rule(rule)
	}
	files := []ProviderFile{
		{Name: "ldap-client-config.yml", Data: p.client(), Secret: own.BindPassword != ""},
		{Name: "contacts-provider-ldap-mappings.yml", Data: p.mappings()},
		{Name: "contacts-provider-ldap.yml", Data: p.config()},
		{Name: "contacts-ldap-accounts.csv", Data: p.accounts()},
	}
	return files, p.findings(), nil
}

// Names of the client and the mappings within the files.
const (
	ldapClient   = "schoolmail"
	mappingShort = "schoolmail-name-mail" // for books that list pupils
	mappingFull  = "schoolmail-shown"
)

type provider struct {
	name    string
	title   string
	mapping string
	folders []providerFolder
}

type providerFolder struct{ name, filter string }

type assignment struct {
	context   schoolmail.ContextID
	providers map[string]bool
}

type providers struct {
	opts    ProviderOptions
	rules   Rules
	builder *builder
	byName  map[string]*provider
	users   map[Login]assignment
	lists   int
	nobody  int
}

// rule adds all books of a rule to the providers of their audiences.
func (p *providers) rule(rule BookRule) {
	b := p.builder
	if rule.List != "" {
		p.lists++
	}
	book := func(school schoolmail.SchoolID, class string, people []*person) {
		if !slices.ContainsFunc(people, func(x *person) bool {
			return x.entry.Key != "" && slices.Contains(rule.Roles, x.Role)
		}) {
			return
		}
		var titles []string
		for _, t := range rule.Folder {
			titles = append(titles, titleText(expand(t, b.schoolName(school), string(school), class)))
		}
		folder := providerFolder{strings.Join(titles, " / "), p.filter(rule, school, class)}
		for _, rd := range rule.Readers {
			if rd.Ungrouped == UngroupedOut {
				p.nobody++
			}
			for _, role := range rd.Roles {
				p.reader(rule, rd.Of, role, school, class, folder)
			}
		}
	}
	switch rule.Each {
	case District:
		book("", "", b.people)
	case PerSchool:
		for _, s := range slices.Sorted(maps.Keys(b.bySchool)) {
			if len(rule.Schools) == 0 || slices.Contains(rule.Schools, s) {
				book(s, "", b.bySchool[s])
			}
		}
	case PerClass:
		for _, id := range slices.SortedFunc(maps.Keys(b.byClass), func(x, y classID) int {
			return cmp.Or(cmp.Compare(x.school, y.school), cmp.Compare(x.class, y.class))
		}) {
			if len(rule.Schools) == 0 || slices.Contains(rule.Schools, id.school) {
				book(id.school, id.class, b.byClass[id])
			}
		}
	}
}

// reader gives the people of an audience a folder.
func (p *providers) reader(rule BookRule, of Scope, role schoolmail.Role, school schoolmail.SchoolID, class string,
	folder providerFolder) {
	b := p.builder
	parts, people := []string{string(role), "district"}, b.people
	switch of {
	case PerSchool:
		parts, people = []string{string(role), "school", string(school)}, b.bySchool[school]
	case PerClass:
		parts, people = []string{string(role), "class", string(school), class}, b.byClass[classID{school, class}]
	}
	mapping := mappingFull
	if slices.Contains(rule.Roles, schoolmail.RolePupil) || p.shownOfAll(FieldPhone) && !p.shownTo(FieldPhone, role) {
		mapping = mappingShort
		parts = append(parts, "basic")
	}
	name := providerName(parts)
	used := false
	for _, x := range people {
		if x.Role != role || x.Context == 0 {
			continue
		}
		used = true
		login := Login{x.Username, x.Mail}
		a, ok := p.users[login]
		if !ok {
			a = assignment{x.Context, map[string]bool{}}
			p.users[login] = a
		}
		a.providers[name] = true
	}
	if !used {
		return
	}
	pr := p.byName[name]
	if pr == nil {
		pr = &provider{name: name, title: strings.Join(parts, " "), mapping: mapping}
		p.byName[name] = pr
	}
	if !slices.Contains(pr.folders, folder) {
		pr.folders = append(pr.folders, folder)
	}
}

// providerName makes an identifier: letters, digits and "-"; others become
// "_" and their number, so that names stay distinct.
func providerName(parts []string) string {
	var b strings.Builder
	b.WriteString("sm")
	for _, part := range parts {
		b.WriteByte('-')
		for _, r := range part {
			switch {
			case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
				b.WriteRune(r)
			default:
				fmt.Fprintf(&b, "_%x_", r)
			}
		}
	}
	return b.String()
}

// filter selects the people of a book.
func (p *providers) filter(rule BookRule, school schoolmail.SchoolID, class string) string {
	var roles strings.Builder
	for _, r := range rule.Roles {
		switch r {
		case schoolmail.RolePupil: // exam accounts are pupils, too
			roles.WriteString("(&(objectClass=ucsschoolStudent)(!(objectClass=ucsschoolExam)))")
		case schoolmail.RoleTeacher:
			roles.WriteString("(objectClass=ucsschoolTeacher)")
		case schoolmail.RoleStaff:
			roles.WriteString("(objectClass=ucsschoolStaff)")
		}
	}
	f := "(&" + p.opts.Filter + "(|" + roles.String() + ")"
	if school != "" {
		f += "(ucsschoolSchool=" + escapeFilter(string(school)) + ")"
	} else if len(rule.Schools) > 0 {
		f += "(|"
		for _, s := range rule.Schools {
			f += "(ucsschoolSchool=" + escapeFilter(string(s)) + ")"
		}
		f += ")"
	}
	if class != "" {
		dn := "cn=" + escapeDN(string(school)+"-"+class) + ",cn=klassen,cn=schueler,cn=groups,ou=" +
			escapeDN(string(school)) + "," + p.opts.BaseDN
		f += "(memberOf=" + escapeFilter(dn) + ")"
	}
	return f + ")"
}

// escapeFilter escapes a value of a search filter (RFC 4515, section 3).
func escapeFilter(s string) string {
	return strings.NewReplacer(`\`, `\5c`, `*`, `\2a`, `(`, `\28`, `)`, `\29`, "\x00", `\00`).Replace(s)
}

// escapeDN escapes a value of a distinguished name (RFC 4514, section 2.4).
func escapeDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(`,+"\<>;=`, r),
			i == 0 && (r == ' ' || r == '#'),
			i == len(s)-1 && r == ' ':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (p *providers) findings() []Finding {
	out := slices.Clone(p.builder.findings)
	add := func(text string) { out = append(out, Finding{Text: "LDAP provider: " + text}) }
	if p.lists > 0 {
		add(itoa(p.lists) + " kinds of book have distribution lists, which it cannot show")
	}
	if p.nobody > 0 {
		add("readers with ungrouped = \"nobody\" are assigned one by one, groups are not asked")
	}
	if slices.ContainsFunc(p.rules.Show, func(s Show) bool { return slices.Contains(s.Fields, FieldClass) }) {
		add("class names cannot be shown, the directory has them as groups only")
	}
	if slices.ContainsFunc(p.rules.Show, func(s Show) bool { return slices.Contains(s.Fields, FieldSchool) }) {
		add("schools are shown by their id (ucsschoolSchool)")
	}
	add("filters for classes need the memberOf overlay and are not indexed on UCS; measure before use")
	return out
}

// accounts is the table of users and their providers.
func (p *providers) accounts() []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"context", "user", "com.openexchange.contacts.ldap.accounts"}) // a Builder does not fail
	logins := slices.SortedFunc(maps.Keys(p.users), func(x, y Login) int {
		return cmp.Or(cmp.Compare(p.users[x].context, p.users[y].context), cmp.Compare(x.Username, y.Username))
	})
	for _, l := range logins {
		a := p.users[l]
		_ = w.Write([]string{itoa(int(a.context)), l.Username, strings.Join(slices.Sorted(maps.Keys(a.providers)), ",")})
	}
	w.Flush()
	return []byte(b.String())
}
