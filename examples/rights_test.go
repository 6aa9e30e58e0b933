package examples_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/programtest"
	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// block is a block of docs/directory-rights.conf: a right, a limit, or what is needed
// with a setting.
type block struct{ kind, name, rules string }

func rightsBlocks(t *testing.T) (blocks []block) {
	t.Helper()
	b, err := os.ReadFile("../docs/directory-rights.conf")
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(b), "\n# ") {
		head, rules, _ := strings.Cut(part, "\n")
		kind, name, ok := strings.Cut(head, ": ")
		if ok && (kind == "right" || kind == "limit" || strings.HasPrefix(kind, "with ")) {
			blocks = append(blocks, block{kind, name, rules + "\n"})
		}
	}
	if len(blocks) != 10 {
		t.Fatalf("%d blocks", len(blocks))
	}
	return blocks
}

// doveadmCommands are those that SECURITY.md lets one narrow the server to.
func doveadmCommands(t *testing.T) (commands []string) {
	t.Helper()
	b, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(b), "what `provision` uses:")
	list, _, _ = strings.Cut(list, ";") // then come those of special settings
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(list, -1) {
		commands = append(commands, strings.Join(strings.Fields(m[1]), " "))
	}
	if len(commands) < 10 {
		t.Fatalf("only %q", commands)
	}
	return commands
}

// reduced is a district on a real slapd and a real Dovecot, where the account of the
// district file has no more than some rights.
type reduced struct {
	*sitetest.Sandbox
	dir  string
	mail *dovecotd.Server
	ldap *slapd.Server
}

const reducedAccount = "cn=schoolmail,cn=users,"

// newReduced starts a district with those rights that are wanted, with a setting ("":
// none).
func newReduced(t *testing.T, setting string, wanted func(right string) bool, commands []string) *reduced {
	t.Helper()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(24)))(t)
	base := sb.LDAP.BaseDN
	access := "add_content_acl on\n" // an entry's attributes need the rights, too, when it is added
	for _, b := range rightsBlocks(t) {
		if b.kind == "limit" || b.kind == "right" && wanted(b.name) || b.kind == "with "+setting {
			access += b.rules
		}
	}
	access += "access to *\n\tby dn.exact=\"ACCOUNT\" none\n\tby * break\n" // and nothing else
	model := ucstest.New(ucstest.WithMailDomains("lernende.example"))
	for _, school := range sb.District.Schools() {
		if setting == "create_schools" {
			break
		}
		if err := model.SeedSchools(school.ID); err != nil {
			t.Fatal(err)
		}
	}
	r := &reduced{Sandbox: sb, dir: t.TempDir()}
	r.ldap = slapd.Start(t, &slapd.Config{BaseDN: base, Access: strings.NewReplacer(
		"BASE", base, "ACCOUNT", reducedAccount+base).Replace(access)})
	container := func(dn string) ucstest.Entry {
		name, _, _ := strings.Cut(strings.TrimPrefix(dn, "cn="), ",")
		return ucstest.Entry{DN: dn + "," + base, Attributes: []ucstest.Attribute{
			{Name: "objectClass", Values: []string{"top", "organizationalRole"}}, {Name: "cn", Values: []string{name}}}}
	}
	entries := model.Entries()
	there := map[string]bool{}
	for _, e := range entries {
		there[strings.ToLower(e.DN)] = true
	}
	for _, dn := range []string{"cn=users", "cn=ucsschool,cn=univention",
		"cn=retired-names,cn=ucsschool,cn=univention", "cn=schoolmail,cn=univention"} {
		if !there[dn+","+base] {
			entries = append(entries, container(dn))
		}
	}
	service := container(strings.TrimSuffix(reducedAccount, ","))
	service.Attributes[0].Values = append(service.Attributes[0].Values, "simpleSecurityObject")
	service.Attributes = append(service.Attributes, ucstest.Attribute{Name: "userPassword", Values: []string{"reduced"}})
	if err := r.ldap.Load(append(entries, service)); err != nil {
		t.Fatal(err)
	}
	if err := sb.CreateContexts(); err != nil {
		t.Fatal(err)
	}
	r.mail = dovecotd.Start(t, &dovecotd.Config{AllowedCommands: commands})
	r.deliver(t, sb.District)
	c := sb.Config(filepath.Join(r.dir, "export"), filepath.Join(r.dir, "state"))
	d := &c.Directory
	d.URL, d.BindDN, d.Password, d.CreateSchools = r.ldap.URL, reducedAccount+base, "reduced",
		setting == "create_schools"
	d.BesideUDM = setting == "beside_udm"
	c.Mail.URL, c.Mail.APIKey = r.mail.URL, schoolmail.Secret(r.mail.APIKey)
	if err := district.WriteFile(r.config(), c); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reduced) config() string { return filepath.Join(r.dir, "district.toml") }

// deliver puts the export of a district there.
func (r *reduced) deliver(t *testing.T, d *escadatest.District) {
	t.Helper()
	e, err := d.Export(nil)
	if err == nil {
		err = e.WriteDir(filepath.Join(r.dir, "export"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// night is one of a year.
type night struct {
	day schoolmail.Date
	d   *escadatest.District // whose export comes with it; nil: that of the night before
}

// year has newcomers, transfers, leavers, and in the end people whose accounts go.
func (r *reduced) year() []night {
	next := r.District.Next(nil)
	first := next.Today()
	after := next.Next(nil)
	return []night{{r.District.Today(), r.District}, {first, next}, {first.AddDays(56), nil},
		{first.AddDays(56 + 181), nil}, {after.Today(), after}}
}

// night runs provision for one. The mail server's users are those of the plan
// before: a site's Dovecot asks the directory.
func (r *reduced) night(t *testing.T, n night) (plan *schoolmail.Plan, printed string, status int) {
	t.Helper()
	if n.d != nil {
		r.deliver(t, n.d)
	}
	day := n.day
	file := filepath.Join(r.dir, "plan.json")
	if _, errs, status := run(t, r.dir, "provision", "-config", r.config(), "-now", day.String(), "-plan", file,
		"-q"); status != 0 && status != 3 {
		return nil, errs, status
	}
	plan, err := site.ReadPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	var users []dovecotd.User
	for _, s := range plan.Steps {
		if c, ok := s.Action.(schoolmail.CreateAccount); ok {
			users = append(users, dovecotd.User{Name: c.Account.Mail, Password: "x"})
		}
	}
	if len(users) > 0 {
		r.mail.SetUsers(users...)
	}
	out, errs, status := run(t, r.dir, "provision", "-config", r.config(), "-now", day.String(), "-any-day", "-apply",
		"-q")
	return plan, out + errs, status
}

// The rights that SECURITY.md names suffice: a year of nights, address books and watch.
func TestRightsSuffice(t *testing.T) {
	t.Parallel()
	r := newReduced(t, "", func(string) bool { return true }, doveadmCommands(t))
	if out, errs, status := run(t, r.dir, "provision", "-config", r.config(), "-check"); status != 0 {
		t.Fatalf("-check: status %d\n%s%s", status, out, errs)
	}
	seen := map[schoolmail.Kind]int{}
	for _, night := range r.year() {
		plan, printed, status := r.night(t, night)
		if status != 0 {
			t.Fatalf("%s: status %d\n%s", night.day, status, printed)
		}
		for kind, n := range plan.Count() {
			seen[kind] += n
		}
		for _, args := range [][]string{{"addressbooks", "-apply"},
			{"watch", "-apply", "-once", "-now", night.day.String()}} {
			out, errs, status := run(t, r.dir, args[0], append(args[1:], "-config", r.config())...)
			if status != 0 {
				t.Fatalf("%s, %s: status %d\n%s%s", night.day, args[0], status, out, errs)
			}
		}
	}
	for _, kind := range []schoolmail.Kind{schoolmail.KindCreate, schoolmail.KindChange, schoolmail.KindTransfer,
		schoolmail.KindDropCopy, schoolmail.KindDeactivate, schoolmail.KindPurge} {
		if seen[kind] == 0 {
			t.Errorf("no step of kind %s in the year: %v", kind, seen)
		}
	}
	if n := r.passwords(t, r.ldap.BindDN, r.ldap.Password); n == 0 {
		t.Error("nobody has a password")
	}
	if n := r.passwords(t, reducedAccount+r.ldap.BaseDN, "reduced"); n != 0 {
		t.Errorf("the account can read %d passwords", n)
	}
}

// passwords counts those that somebody can read.
func (r *reduced) passwords(t *testing.T, dn string, password schoolmail.Secret) (n int) {
	t.Helper()
	c, err := ldap.DialURL(r.ldap.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(dn, password.Reveal()); err != nil {
		t.Fatal(err)
	}
	res, err := c.Search(ldap.NewSearchRequest(r.ldap.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=ucsschoolType)", []string{"uid", "userPassword", "sambaNTPassword", "krb5Key"}, nil))
	if err != nil || len(res.Entries) == 0 {
		t.Fatalf("%d people, %v", len(res.Entries), err)
	}
	for _, e := range res.Entries {
		n += len(e.Attributes)
		if e.GetAttributeValue("uid") != "" {
			n--
		}
	}
	return n
}

// With one right fewer a night fails, and says where the account may not write.
func TestOneRightFewer(t *testing.T) {
	t.Parallel()
	says := map[string]string{
		"passwords of people at schools; they can be set and not read": "may not write below cn=schueler,cn=users,ou=",
		"people at schools":                "may not write below cn=schueler,cn=users,ou=",
		"groups and classes of schools":    "may not write below cn=klassen,cn=schueler,cn=groups,ou=",
		"counters of numbers":              "may not write below cn=temporary,cn=univention,",
		"names that are never given again": "may not write below cn=retired-names,cn=ucsschool,cn=univention,",
		"the lease and notes":              "may not write below cn=schoolmail,cn=univention,",
		"reading":                          "may not read it",
	}
	for _, b := range rightsBlocks(t) {
		if b.kind != "right" {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			r := newReduced(t, "", func(right string) bool { return right != b.name }, nil)
			for _, night := range r.year() {
				_, printed, status := r.night(t, night)
				if status == 0 {
					continue
				}
				if says[b.name] == "" || !strings.Contains(printed, says[b.name]) {
					t.Errorf("status %d, expected %q:\n%s", status, says[b.name], printed)
				}
				return
			}
			t.Error("a year passes without it")
		})
	}
}

// What SECURITY.md names beside it is enough for some settings.
func TestRightsWithSettings(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"beside_udm", "create_schools"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			r := newReduced(t, setting, func(string) bool { return true }, nil)
			for _, night := range r.year()[:2] {
				if _, printed, status := r.night(t, night); status != 0 {
					t.Fatalf("%s: status %d\n%s", night.day, status, printed)
				}
			}
		})
	}
}

// Address books need no administrator: to read the directory, the lease, and one
// ordinary account for each context. The probe needs no master and no directory.
func TestRightsOfTheOthers(t *testing.T) {
	t.Parallel()
	r := newReduced(t, "", func(string) bool { return true }, nil)
	if _, printed, status := r.night(t, r.year()[0]); status != 0 {
		t.Fatalf("status %d\n%s", status, printed)
	}
	fewer := newReduced(t, "",
		func(right string) bool { return right == "reading" || right == "the lease and notes" }, nil)
	var admins []string
	for _, c := range r.Policy.Contexts {
		admins = append(admins, sitetest.AdminPassword(c.ID).Reveal())
	}
	people := r.people(t)
	if err := fewer.ldap.Load(people); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program []string
		without []string
	}{
		{[]string{"addressbooks", "-apply"}, append(admins, sitetest.MasterPassword, r.mail.APIKey)},
		{[]string{"galprobe"}, []string{sitetest.MasterPassword, r.mail.APIKey, r.ldap.URL}},
	} {
		b, err := os.ReadFile(r.config())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), r.ldap.URL, fewer.ldap.URL)
		for _, secret := range c.without {
			text = strings.ReplaceAll(text, `"`+secret+`"`, `"wrong"`)
		}
		file := filepath.Join(r.dir, "reduced.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, status := run(t, r.dir, c.program[0], append(c.program[1:], "-config", file)...)
		if status != 0 {
			t.Errorf("%s: status %d\n%s%s", c.program[0], status, out, errs)
		}
	}
}

// people are the entries of all people and of what else the directory has got since it
// was filled.
func (r *reduced) people(t *testing.T) (entries []ucstest.Entry) {
	t.Helper()
	c, err := ldap.DialURL(r.ldap.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(r.ldap.BindDN, r.ldap.Password.Reveal()); err != nil {
		t.Fatal(err)
	}
	res, err := c.Search(ldap.NewSearchRequest(r.ldap.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(objectClass=ucsschoolType)", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Entries {
		entry := ucstest.Entry{DN: e.DN}
		for _, a := range e.Attributes {
			entry.Attributes = append(entry.Attributes, ucstest.Attribute{Name: a.Name, Values: a.Values})
		}
		entries = append(entries, entry)
	}
	return entries
}

// The administrator of a context is no master: that is told before anything is done.
func TestContextAdministratorIsNoMaster(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 30)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	id := p.Policy.Contexts[0].ID
	lesser := strings.NewReplacer(sitetest.MasterLogin, sitetest.AdminLogin(id), sitetest.MasterPassword,
		sitetest.AdminPassword(id).Reveal()).Replace(string(b))
	if err := os.WriteFile(file, []byte(lesser), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, status := run(t, filepath.Dir(file), "provision", "-config", file, "-check")
	if status != 1 || !strings.Contains(out+errs, "[ox] master_") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// With one command fewer than SECURITY.md names -check tells which.
func TestOneCommandFewer(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 30)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	commands := doveadmCommands(t)
	for _, missing := range append(commands, "") {
		server := dovecottest.New(dovecottest.WithAPIKey(sitetest.DoveadmKey), dovecottest.WithAllowedCommands(
			slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return c == missing })...))
		front := httptest.NewServer(server)
		narrow := filepath.Join(t.TempDir(), "district.toml")
		if err := os.WriteFile(narrow, []byte(strings.ReplaceAll(string(b), p.Doveadm.URL, front.URL)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, status := run(t, filepath.Dir(narrow), "provision", "-config", narrow, "-check")
		front.Close()
		_ = server.Close()
		switch {
		case missing == "" && status != 0:
			t.Errorf("all that are named: status %d\n%s%s", status, out, errs)
		case missing != "" && (status != 1 || !strings.Contains(out+errs, "refuses "+missing+":")):
			t.Errorf("without %s: status %d\n%s%s", missing, status, out, errs)
		}
	}
}
