package addressbook

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-vcard"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// awkward are entries that make trouble in files.
func awkward() []Entry {
	return []Entry{
		{Key: "schoolmail:p:1", DisplayName: "Zoë Müller-Ångström", GivenName: "Zoë", FamilyName: "Müller-Ångström",
			Mail: "zoe@example.org", Phone: "+41 31 123 45 67", School: "Schule «Au»"},
		{Key: "schoolmail:p:2", DisplayName: `Anna "Änni" Muster, lic. phil.`, GivenName: `Anna "Änni"`,
			FamilyName: "Muster", Mail: "a@example.org", Phone: "+41"},
		{Key: "schoolmail:p:3", DisplayName: "=HYPERLINK(\"http://x\")", GivenName: "@SUM(A1)", FamilyName: "-2+3",
			Mail: "b@example.org", Phone: "'+41"},
		{Key: "schoolmail:p:4", DisplayName: "Haus A\nTür 2", GivenName: "a;b\tc", FamilyName: `back\slash \n`,
			Mail: "c@example.org", School: "x;y", Class: "3a, 3b"},
		{Key: "schoolmail:p:5", DisplayName: "李 雷", Mail: "d@example.org"},
	}
}

func TestCSVRoundTrip(t *testing.T) {
	t.Parallel()
	for _, opts := range []CSVOptions{{Keys: true}, {Keys: true, Spreadsheet: true}, {}} {
		var b bytes.Buffer
		list := Entry{DisplayName: "Klasse 3a (alle)", Members: []Member{{"x", "x@example.org"}}}
		if err := WriteCSV(&b, append(awkward(), list), &opts); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCSV(&b, &opts)
		if err != nil {
			t.Fatal(err)
		}
		want := awkward()
		if !opts.Keys {
			for i := range want {
				want[i].Key = ""
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: -written +read\n%s", opts, diff)
		}
	}
}

func TestCSVAsOpenXchangeWantsIt(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := WriteCSV(&b, awkward()[:3], nil); err != nil {
		t.Fatal(err)
	}
	want := `Display name,Given name,Sur name,Email 1,Telephone business 1,Company,Department
Zoë Müller-Ångström,Zoë,Müller-Ångström,zoe@example.org,+41 31 123 45 67,Schule «Au»,
"Anna ""Änni"" Muster, lic. phil.","Anna ""Änni""",Muster,a@example.org,+41,,
"=HYPERLINK(""http://x"")",@SUM(A1),-2+3,b@example.org,'+41,,
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	b.Reset()
	if err := WriteCSV(&b, awkward()[:3], &CSVOptions{Spreadsheet: true}); err != nil {
		t.Fatal(err)
	}
	for _, cell := range []string{",'+41 31 123 45 67,", `"'=HYPERLINK(""http://x"")",'@SUM(A1),'-2+3,`, ",''+41,"} {
		if !strings.Contains(b.String(), cell) {
			t.Errorf("spreadsheet form lacks %s:\n%s", cell, b.String())
		}
	}
}

func TestVCards(t *testing.T) {
	t.Parallel()
	list := Entry{Key: "schoolmail:b:1", DisplayName: "Klasse 3a (alle)",
		Members: []Member{{"X", "x@example.org"}, {"Y", "y@example.org"}}}
	var b bytes.Buffer
	if err := WriteVCards(&b, append(awkward(), list)); err != nil {
		t.Fatal(err)
	}
	dec := vcard.NewDecoder(&b)
	for _, e := range awkward() {
		c, err := dec.Decode()
		if err != nil {
			t.Fatal(err)
		}
		if c.Value(vcard.FieldFormattedName) != e.DisplayName || c.Value(vcard.FieldEmail) != e.Mail ||
			c.Value(vcard.FieldTelephone) != e.Phone || c.Value(vcard.FieldUID) != e.Key {
			t.Errorf("wrote %+v, read %v", e, c)
		}
		if n := c.Name(); n != nil && n.FamilyName != e.FamilyName {
			t.Errorf("family name %q, want %q", n.FamilyName, e.FamilyName)
		}
	}
	c, err := dec.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Values(vcard.FieldMember); c.Kind() != vcard.KindGroup ||
		!slices.Equal(got, []string{"mailto:x@example.org", "mailto:y@example.org"}) {
		t.Errorf("list: kind %s, members %v", c.Kind(), got)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	d := Desired{Contexts: []ContextBooks{{Context: 7, Books: []Book{
		{Path: []string{"Schule Au", "Klasse 3a/b"}},
		{Path: []string{"Schule Au", "Klasse 3a_b"}},
		{Path: []string{"..", "CON: \"x\"?"}},
		{Path: []string{"Schule Au", "klasse 3A_B."}},
	}}}}
	var got []string
	for path := range d.Files() {
		got = append(got, path)
	}
	want := []string{
		"context-7/Schule Au/Klasse 3a_b",
		"context-7/Schule Au/Klasse 3a_b (2)",
		"context-7/_/CON_ _x__",
		"context-7/Schule Au/klasse 3A_B (3)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	rules.Schools[0].Name = "<Schule> Au"
	d := mustBuild(t, rules, village())
	var b, again strings.Builder
	if err := WriteHTML(&b, rules, d); err != nil {
		t.Fatal(err)
	}
	if err := WriteHTML(&again, rules, d); err != nil {
		t.Fatal(err)
	}
	if b.String() != again.String() {
		t.Error("two pages differ")
	}
	for _, want := range []string{
		"Context 1", "3 books, 4 entries", "pupils of the class", "&lt;Schule&gt; Au",
		`<td>&lt;Schule&gt; Au / Klasse 3a</td><td class="n">2</td><td class="n yes">2</td><td class="n yes">2</td><td ` +
			`class="no">none</td>`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, a := range village() {
		if strings.Contains(b.String(), a.Mail) || strings.Contains(b.String(), a.DisplayName) {
			t.Errorf("page names %s", a.DisplayName)
		}
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

func TestProviderFiles(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	files, findings, err := ProviderFiles(rules, everyone("tina teacher 1 au:3a", "anna pupil 2 au:3a",
		"sara staff 1 au"), &ProviderOptions{
		Host: "ldap.example.org", BaseDN: "dc=schulen,dc=example", BindDN: "uid=ox,cn=users,dc=schulen,dc=example",
		BindPassword: `geheim"\`,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		all[f.Name] = string(f.Data)
	}
	want := `# /opt/open-xchange/etc/contacts-provider-ldap.yml
sm-pupil-class-au-3a-basic:
  name: "pupil class au 3a basic"
  ldapClientId: schoolmail
  mappings: schoolmail-name-mail
  folders:
    usedForSync:
      protected: true
      defaultValue: false
    usedInPicker:
      protected: false
      defaultValue: true
    shownInTree:
      protected: false
      defaultValue: true
    mode: static
    static:
      commonContactFilter: "(|(&(mailPrimaryAddress=*)(|(&(objectClass=ucsschoolStudent)` +
		`(!(objectClass=ucsschoolExam))))(ucsschoolSchool=au)(memberOf=cn=au-3a,` +
		`cn=klassen,cn=schueler,cn=groups,ou=au,dc=schulen,dc=example)))"
      folders:
        - name: "Schule Au / Klasse 3a"
          contactFilter: "(&(mailPrimaryAddress=*)(|(&(objectClass=ucsschoolStudent)(!(objectClass=ucsschoolExam))))` +
		`(ucsschoolSchool=au)(memberOf=cn=au-3a,cn=klassen,cn=schueler,cn=groups,ou=au,dc=schulen,dc=example))"
`
	if got := all["contacts-provider-ldap.yml"]; !strings.HasPrefix(got, want) {
		t.Errorf("contacts-provider-ldap.yml: %s", cmp.Diff(want, got))
	}
	wantAccounts := `context,user,com.openexchange.contacts.ldap.accounts
1,sara,"sm-staff-district,sm-staff-school-au,sm-staff-school-au-basic"
1,tina,"sm-teacher-district,sm-teacher-school-au,sm-teacher-school-au-basic"
2,anna,"sm-pupil-class-au-3a-basic,sm-pupil-school-au-basic"
`
	if diff := cmp.Diff(wantAccounts, all["contacts-ldap-accounts.csv"]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if c := all["ldap-client-config.yml"]; !strings.Contains(c, `password: "geheim\"\\"`) || !files[0].Secret {
		t.Errorf("client file:\n%s", c)
	}
	m := all["contacts-provider-ldap-mappings.yml"]
	if basic, _, _ := strings.Cut(m, mappingFull); strings.Contains(basic, "telephone") ||
		!strings.Contains(m, "telephone_business1: telephoneNumber") {
		t.Errorf("mappings:\n%s", m)
	}
	if len(findings) == 0 {
		t.Error("no findings: what the provider cannot do is not said")
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	if got, want := escapeFilter(`a*(b)\`), `a\2a\28b\29\5c`; got != want {
		t.Errorf("filter %q, want %q", got, want)
	}
	if got, want := escapeDN(`#3a, "x" `), `\#3a\, \"x\"\ `; got != want {
		t.Errorf("DN %q, want %q", got, want)
	}
	a, b := providerName([]string{"pupil", "3/a"}), providerName([]string{"pupil", "3_2f_a"})
	if a == b {
		t.Errorf("two classes share the provider %s", a)
	}
}

func FuzzReadCSV(f *testing.F) {
	for _, opts := range []*CSVOptions{nil, {Spreadsheet: true, Keys: true}} {
		var b strings.Builder
		if err := WriteCSV(&b, awkward(), opts); err != nil {
			f.Fatal(err)
		}
		f.Add(b.String())
	}
	f.Add("Email 1;Sur name\nx@example.org;\"a\nb\"\n")
	f.Add("\xef\xbb\xbfDisplay name\tEmail 1\n'=x\ty\n")
	f.Fuzz(func(t *testing.T, text string) {
		opts := &CSVOptions{Spreadsheet: true, Keys: true}
		entries, err := ReadCSV(strings.NewReader(text), opts)
		if err != nil {
			return
		}
		people := entries[:0]
		for _, e := range entries {
			e.Members = nil
			if !e.Equal(Entry{}) { // an empty row is not written as one
				people = append(people, e)
			}
		}
		var b strings.Builder
		if err := WriteCSV(&b, people, opts); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCSV(strings.NewReader(b.String()), opts)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(people, again, Entry.Equal) {
			t.Errorf("read %+v, after writing %+v", people, again)
		}
	})
}

func FuzzFieldsSurviveCSV(f *testing.F) {
	for _, e := range awkward() {
		f.Add(e.DisplayName, e.GivenName, e.Phone)
	}
	f.Fuzz(func(t *testing.T, name, given, phone string) {
		a := schoolmail.Account{
			Key: schoolmail.RecordKey{Source: "s", ID: "1"}, Role: schoolmail.RoleTeacher, State: schoolmail.Active, Context: 1,
			Mail: "x@example.org", DisplayName: name, GivenName: given, Phone: phone,
			Memberships: []schoolmail.Membership{{School: "au"}},
		}
		d, err := Build(DefaultRules(), []schoolmail.Account{a})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range d.Contexts[0].Books {
			var w strings.Builder
			if err := WriteCSV(&w, b.Entries, &CSVOptions{Keys: true}); err != nil {
				t.Fatal(err)
			}
			got, err := ReadCSV(strings.NewReader(w.String()), &CSVOptions{Keys: true})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(b.Entries[:1], got, Entry.Equal) {
				t.Fatalf("%+v became %+v", b.Entries[:1], got)
			}
		}
	})
}
