package udm_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// target is a UDM to test against, and the directory behind it.
type target struct {
	url, user string
	password  schoolmail.Secret
	sim       *ucstest.UDM // nil: a real one

	ldap, bindDN, base string
	ldapPassword       schoolmail.Secret
}

// onAll runs a test against the simulator on the directory of package ucstest and
// on slapd, and against a real UDM where the environment names one: its URL
// (SCHOOLMAIL_UDM_URL), user and password (_USER, _PASSWORD), and the directory
// behind it (_LDAP, _BINDDN, _BINDPW, _BASE) with a school "gsmitte".
func onAll(t *testing.T, f func(t *testing.T, u target)) {
	t.Helper()
	t.Parallel()
	simulate := func(t *testing.T, u target) target {
		s := testlife.Of(ucstest.StartUDM(u.ldap, u.bindDN, u.ldapPassword, ucstest.WithExtendedAttribute("schoolmail",
			"univentionFreeAttribute20", "univentionFreeAttributes")))(t)
		u.url, u.user, u.password, u.sim = s.URL, s.User, s.Password, s
		return u
	}
	t.Run("ucstest", func(t *testing.T) {
		t.Parallel()
		s := testlife.Of(ucstest.Start())(t)
		if err := s.SeedSchools("gsmitte"); err != nil {
			t.Fatal(err)
		}
		f(t, simulate(t, target{ldap: s.URL, bindDN: s.BindDN, base: s.BaseDN, ldapPassword: s.Password}))
	})
	t.Run("slapd", func(t *testing.T) {
		t.Parallel()
		model := ucstest.New()
		if err := model.SeedSchools("gsmitte"); err != nil {
			t.Fatal(err)
		}
		s := slapd.Start(t, nil)
		if err := s.Load(model.Entries()); err != nil {
			t.Fatal(err)
		}
		f(t, simulate(t, target{ldap: s.URL, bindDN: s.BindDN, base: s.BaseDN, ldapPassword: s.Password}))
	})
	env := func(name string) string { return os.Getenv("SCHOOLMAIL_UDM_" + name) }
	if env("URL") != "" {
		t.Run("real", func(t *testing.T) { // one server for all
			oneReal.Lock()
			defer oneReal.Unlock()
			u := target{url: env("URL"), user: env("USER"), password: schoolmail.Secret(env("PASSWORD")), ldap: env("LDAP"),
				bindDN: env("BINDDN"), ldapPassword: schoolmail.Secret(env("BINDPW")), base: env("BASE")}
			u.clean(t)
			f(t, u)
		})
	}
}

var oneReal sync.Mutex

// clean removes what earlier tests have left: people, classes, contexts and locks.
func (u target) clean(t *testing.T) {
	t.Helper()
	c := u.conn(t)
	for _, q := range [][2]string{
		{"ou=gsmitte," + u.base, "(&(univentionObjectType=users/user)(!(uid=*$)))"},
		{"cn=klassen,cn=schueler,cn=groups,ou=gsmitte," + u.base, "(objectClass=posixGroup)"},
		{u.base, "(|(objectClass=oxContext)(objectClass=oxAccessProfile))"},
		{"cn=temporary,cn=univention," + u.base, "(objectClass=lock)"},
	} {
		res, err := c.Search(ldap.NewSearchRequest(q[0], ldap.ScopeWholeSubtree, 0, 0, 0, false, q[1], []string{"1.1"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range res.Entries {
			if err := c.Del(ldap.NewDelRequest(e.DN, nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (u target) client(t *testing.T, opts *udm.Options) *udm.Client {
	t.Helper()
	c, err := udm.New(u.url, u.user, u.password, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (u target) conn(t *testing.T) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(u.ldap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Bind(u.bindDN, u.ldapPassword.Reveal()); err != nil {
		t.Fatal(err)
	}
	return c
}

// value reads an attribute past UDM.
func (u target) value(t *testing.T, dn, attr string) string {
	t.Helper()
	res, err := u.conn(t).Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)",
		[]string{attr}, nil))
	if err != nil {
		t.Fatalf("read %s: %v", dn, err)
	}
	v := res.Entries[0].GetEqualFoldAttributeValues(attr)
	slices.Sort(v)
	return strings.Join(v, "|")
}

func (u target) school() string         { return "ou=gsmitte," + u.base }
func (u target) pupils() string         { return "cn=schueler,cn=users," + u.school() }
func (u target) group(cn string) string { return "cn=" + cn + ",cn=groups," + u.school() }

// ida is a pupil.
func (u target) ida() udm.User {
	return udm.User{Username: "ida.abel", FirstName: "Ida", LastName: "Abel", Password: "Xy7-ooP2-rr41",
		UnixHome: "/home/gsmitte/schueler/ida.abel", PrimaryGroup: u.group("Domain Users gsmitte"),
		Groups: []string{u.group("schueler-gsmitte")}, MailPrimaryAddress: "Ida.Abel@schulen.example",
		EMail: []string{"ida.abel@schulen.example"}, OX: true, OXContext: 101, OXAccess: "webmail",
		School: []string{"gsmitte"}, SchoolRoles: []string{"student:school:gsmitte"}, SourceUID: "escada2", RecordUID: "S-1",
		Student: true}
}

func create(t *testing.T, c *udm.Client, position string, usr udm.User) udm.Ref {
	t.Helper()
	ref, err := c.Create(t.Context(), udm.Users, usr.Object(position))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestUser(t *testing.T) {
	onAll(t, func(t *testing.T, u target) {
		c := u.client(t, nil)
		ref := create(t, c, u.pupils(), u.ida())
		if want := "uid=ida.abel," + u.pupils(); ref.DN != want || ref.UUID != u.value(t, want, "entryUUID") ||
			ref.Etag == "" {
			t.Fatalf("made %+v, want %s", ref, want)
		}
		o, err := c.Get(t.Context(), udm.Users, ref.DN)
		if err != nil {
			t.Fatal(err)
		}
		want := u.ida()
		want.Password, want.MailPrimaryAddress = "", "ida.abel@schulen.example"
		want.DisplayName, want.OXDisplayName = "Ida Abel", "Ida Abel"
		want.Groups = []string{u.group("Domain Users gsmitte"), u.group("schueler-gsmitte")}
		got := udm.UserOf(o)
		slices.Sort(got.Groups)
		got.MailAlternativeAddress, got.Phone, got.DepartmentNumber = nil, nil, nil
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		for attr, want := range map[string]string{"cn": "Ida Abel", "krb5KDCFlags": "126", "oxUserQuota": "-1",
			"krb5PrincipalName": "ida.abel@SCHULEN.EXAMPLE", "memberOf": u.group("Domain Users gsmitte") + "|" +
				u.group("schueler-gsmitte")} {
			if got := u.value(t, ref.DN, attr); got != want {
				t.Errorf("%s = %q, want %q", attr, got, want)
			}
		}

		// A change with the Etag, and with one that is old.
		second, err := c.Patch(t.Context(), udm.Users, ref.DN, udm.Properties{"lastname": "Äbel", "oxContext": 102},
			&udm.PatchOptions{Etag: ref.Etag})
		if err != nil || second.Etag == ref.Etag || second.DN != ref.DN {
			t.Fatalf("change: %+v, %v", second, err)
		}
		if got := u.value(t, ref.DN, "displayName") + u.value(t, ref.DN, "oxContextIDNum"); got != "Ida Äbel102" {
			t.Errorf("names follow: %q", got)
		}
		_, err = c.Patch(t.Context(), udm.Users, ref.DN, udm.Properties{"title": "Dr."}, &udm.PatchOptions{Etag: ref.Etag})
		if !errors.Is(err, udm.ErrStale) || !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("old Etag: %v", err)
		}
		// Off and on again.
		for _, off := range []bool{true, false} {
			if _, err := c.Patch(t.Context(), udm.Users, ref.DN, udm.Properties{"disabled": off}, nil); err != nil {
				t.Fatal(err)
			}
			wantFlags := map[bool]string{true: "[UD         ]", false: "[U          ]"}[off]
			if got := u.value(t, ref.DN, "sambaAcctFlags"); got != wantFlags {
				t.Errorf("disabled %v: %q", off, got)
			}
		}
		// Another school year, another container; groups follow.
		dn, err := c.Move(t.Context(), udm.Users, ref.DN, "cn=lehrer,cn=users,"+u.school())
		if err != nil || dn != "uid=ida.abel,cn=lehrer,cn=users,"+u.school() {
			t.Fatalf("moved to %s, %v", dn, err)
		}
		if o, err = c.Get(t.Context(), udm.Users, dn); err != nil || len(udm.UserOf(o).Groups) != 2 {
			t.Errorf("groups after the move: %v, %v", udm.UserOf(o).Groups, err)
		}
		renamed, err := c.Patch(t.Context(), udm.Users, dn, udm.Properties{"username": "ida.aebel"}, nil)
		if err != nil || renamed.DN != "uid=ida.aebel,cn=lehrer,cn=users,"+u.school() {
			t.Fatalf("renamed to %+v, %v", renamed, err)
		}
		if got := u.value(t, u.group("schueler-gsmitte"), "memberUid"); got != "ida.aebel" {
			t.Errorf("memberUid = %q", got)
		}
		refs, err := c.Find(t.Context(), udm.Users, "", "(&(ucsschoolSourceUID=escada2)(ucsschoolRecordUID=S-1))")
		if err != nil || len(refs) != 1 || refs[0].DN != renamed.DN {
			t.Errorf("found %v, %v", refs, err)
		}
		if err := c.Remove(t.Context(), udm.Users, renamed.DN, ""); err != nil {
			t.Fatal(err)
		}
		if err := c.Remove(t.Context(), udm.Users, renamed.DN, ""); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("removed again: %v", err)
		}
		if got := u.value(t, u.group("schueler-gsmitte"), "memberUid"); got != "" {
			t.Errorf("memberUid after the removal = %q", got)
		}
	})
}

// What UDM takes and what it refuses, and how.
func TestWhatUDMRefuses(t *testing.T) {
	onAll(t, func(t *testing.T, u target) {
		c := u.client(t, nil)
		create(t, c, u.pupils(), u.ida())
		fresh := func(change func(*udm.User)) udm.User {
			x := u.ida()
			x.Username, x.MailPrimaryAddress, x.EMail, x.RecordUID = "new.one", "new.one@schulen.example", nil, "S-2"
			change(&x)
			return x
		}
		for _, tc := range []struct {
			name   string
			change func(*udm.User)
			kind   udm.Kind
			at     string // last part of the location
		}{
			{"name in other letters", func(x *udm.User) { x.Username = "IDA.Abel" }, udm.ErrTaken, "dn"},
			{"name of a group", func(x *udm.User) { x.Username = "schueler-gsmitte" }, udm.ErrTaken, "dn"},
			{"address taken", func(x *udm.User) { x.MailPrimaryAddress = "IDA.abel@schulen.example" }, udm.ErrTaken,
				"mailPrimaryAddress"},
			{"unknown domain", func(x *udm.User) { x.MailPrimaryAddress = "a@elsewhere.example" }, udm.ErrRefused, ""},
			{"unknown domain of an alias", func(x *udm.User) { x.MailAlternativeAddress = []string{"a@elsewhere.example"} },
				udm.ErrInvalid, "mailAlternativeAddress"},
			{"no first name in OX", func(x *udm.User) { x.FirstName = "" }, udm.ErrRefused, ""},
			{"no last name", func(x *udm.User) { x.LastName = "" }, udm.ErrInvalid, "lastname"},
			{"short password", func(x *udm.User) { x.Password = "x" }, udm.ErrInvalid, "password"},
			{"blank in the name", func(x *udm.User) { x.Username = "a b" }, udm.ErrInvalid, "username"},
			{"umlaut in the name", func(x *udm.User) { x.Username = "m.müller" }, udm.ErrRefused, ""},
			{"group that is not there", func(x *udm.User) { x.Groups = []string{u.group("nobody")} }, udm.ErrRefused, ""},
			{"primary group that is not there", func(x *udm.User) { x.PrimaryGroup = u.group("nobody") }, udm.ErrRefused, ""},
			{"pupil and teacher", func(x *udm.User) { x.Teacher = true }, udm.ErrInvalid, "options"},
			{"unknown property", func(x *udm.User) { x.Extra = udm.Properties{"lunch": "yes"} }, udm.ErrInvalid, "lunch"},
			{"wrong type", func(x *udm.User) { x.Extra = udm.Properties{"oxContext": "101"} }, udm.ErrInvalid, "oxContext"},
		} {
			_, err := c.Create(t.Context(), udm.Users, fresh(tc.change).Object(u.pupils()))
			e, ok := errors.AsType[*udm.Error](err)
			if !ok || e.Kind != tc.kind || tc.at != "" && (len(e.Location) == 0 || e.Location[len(e.Location)-1] != tc.at) {
				t.Errorf("%s: %v, want %q at %q", tc.name, err, tc.kind, tc.at)
			}
		}
		if _, err := c.Create(t.Context(), udm.Users, fresh(func(*udm.User) {}).Object("cn=nowhere,"+u.base)); !errors.Is(err,
			udm.ErrRefused) {
			t.Errorf("position that is not there: %v", err)
		}
		for _, name := range []string{"new.one", "a b", "m.müller"} {
			if refs, err := c.Find(t.Context(), udm.Users, "", "(uid="+name+")"); err != nil || len(refs) != 0 {
				t.Errorf("%s was made: %v, %v", name, refs, err)
			}
		}
		// Taken without a word: whoever writes must look before.
		taken := create(t, c, u.pupils(), fresh(func(x *udm.User) {
			x.RecordUID, x.MailAlternativeAddress = "S-1", []string{"Ida.Abel@schulen.example"}
			x.OXContext, x.OXAccess, x.SchoolRoles = 999, "nope", []string{"nonsense"}
		}))
		if got := u.value(t, taken.DN, "mailAlternativeAddress"); got != "Ida.Abel@schulen.example" {
			t.Errorf("aliases keep their letters: %q", got)
		}
		// Without an address there is no place in OX, whatever was asked for; and
		// without an option nothing of the school.
		plain := udm.User{Username: "plain.one", LastName: "One", Password: "Xy7-ooP2-rr41",
			PrimaryGroup: u.group("Domain Users gsmitte"), OX: true, School: []string{"gsmitte"}, RecordUID: "S-3"}
		ref := create(t, c, u.pupils(), plain)
		if got := u.value(t, ref.DN, "isOxUser") + u.value(t, ref.DN, "ucsschoolSchool") +
			u.value(t, ref.DN, "ucsschoolRecordUID"); got != "Not" {
			t.Errorf("without address and option: %q", got)
		}
		// A DN of another type, and one that is not there.
		if _, err := c.Get(t.Context(), udm.Groups, ref.DN); !errors.Is(err, udm.ErrRefused) {
			t.Errorf("user as a group: %v", err)
		}
		if _, err := c.Get(t.Context(), udm.Users, "uid=nobody,"+u.base); !errors.Is(err, udm.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// A refused create leaves a lock on the value that was taken: for minutes it
// counts as taken though nobody has it.
func TestLocksStay(t *testing.T) {
	onAll(t, func(t *testing.T, u target) {
		c := u.client(t, nil)
		ida := create(t, c, u.pupils(), u.ida())
		thief := u.ida()
		thief.Username, thief.RecordUID = "thief.one", "S-9"
		if _, err := c.Create(t.Context(), udm.Users, thief.Object(u.pupils())); !errors.Is(err, udm.ErrTaken) {
			t.Fatalf("taken: %v", err)
		}
		_, err := c.Patch(t.Context(), udm.Users, ida.DN, udm.Properties{"mailPrimaryAddress": "ida.two@schulen.example"},
			nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Create(t.Context(), udm.Users, thief.Object(u.pupils())); !errors.Is(err, udm.ErrTaken) {
			t.Errorf("the lock: %v", err)
		}
		lock := "cn=ida.abel@schulen.example,cn=mailPrimaryAddress,cn=temporary,cn=univention," + u.base
		if err := u.conn(t).Del(ldap.NewDelRequest(lock, nil)); err != nil {
			t.Fatal(err)
		}
		create(t, c, u.pupils(), thief)
	})
}

// Any change writes what the OX packages' attributes have by default, and keeps
// what UDM does not know.
func TestWhatAChangeBrings(t *testing.T) {
	onAll(t, func(t *testing.T, u target) {
		c := u.client(t, nil)
		x := u.ida()
		x.OXAccess = ""
		x.Extra = udm.Properties{"schoolmail": "schoolmail1;state=active"}
		ref := create(t, c, u.pupils(), x)
		clear := ldap.NewModifyRequest(ref.DN, nil)
		clear.Replace("oxAccess", nil)
		clear.Replace("univentionFreeAttribute19", []string{"of the site"})
		if err := u.conn(t).Modify(clear); err != nil {
			t.Fatal(err)
		}
		patch := func(p udm.Properties, o *udm.PatchOptions) error {
			_, err := c.Patch(t.Context(), udm.Users, ref.DN, p, o)
			return err
		}
		if err := patch(udm.Properties{"title": "Dr."}, nil); err != nil {
			t.Fatal(err)
		}
		for attr, want := range map[string]string{"oxAccess": "premium", "univentionFreeAttribute19": "of the site",
			"univentionFreeAttribute20": "schoolmail1;state=active"} {
			if got := u.value(t, ref.DN, attr); got != want {
				t.Errorf("%s = %q, want %q", attr, got, want)
			}
		}
		for _, tc := range []struct {
			value any
			want  string
		}{{false, "Not"}, {nil, "OK"}} {
			if err := patch(udm.Properties{"isOxUser": tc.value}, nil); err != nil {
				t.Fatal(err)
			}
			if got := u.value(t, ref.DN, "isOxUser"); got != tc.want {
				t.Errorf("isOxUser %v: %q, want %q", tc.value, got, tc.want)
			}
		}
		if err := patch(udm.Properties{"mailPrimaryAddress": nil}, nil); !errors.Is(err, udm.ErrRefused) {
			t.Errorf("an OX user without address: %v", err)
		}
		if err := patch(udm.Properties{"mailPrimaryAddress": ""}, nil); !errors.Is(err, udm.ErrInvalid) {
			t.Errorf("an address of no letters: %v", err)
		}
		// The last role cannot go; another may come for it.
		err := patch(nil, &udm.PatchOptions{Options: map[string]bool{"ucsschoolStudent": false}})
		if !errors.Is(err, udm.ErrRefused) {
			t.Errorf("no role: %v", err)
		}
		err = patch(udm.Properties{"ucsschoolRole": []string{"teacher:school:gsmitte"}},
			&udm.PatchOptions{Options: map[string]bool{"ucsschoolStudent": false, "ucsschoolTeacher": true}})
		if err != nil || u.value(t, ref.DN, "ucsschoolRole") != "teacher:school:gsmitte" {
			t.Errorf("another role: %v", err)
		}
	})
}

func TestGroups(t *testing.T) {
	onAll(t, func(t *testing.T, u target) {
		c := u.client(t, nil)
		ida := create(t, c, u.pupils(), u.ida())
		container := "cn=klassen,cn=schueler,cn=groups," + u.school()
		class, err := c.Create(t.Context(), udm.Groups, udm.Group{Name: "gsmitte-1a",
			SchoolRoles: []string{"school_class:school:gsmitte"}}.Object(container))
		if err != nil || class.DN != "cn=gsmitte-1a,"+container {
			t.Fatalf("%+v, %v", class, err)
		}
		if got := u.value(t, class.DN, "isOxGroup"); got != "Not" {
			t.Errorf("isOxGroup = %q", got)
		}
		if _, err := c.Create(t.Context(), udm.Groups, udm.Group{Name: "GSMITTE-1A"}.Object(container)); !errors.Is(err,
			udm.ErrTaken) {
			t.Errorf("the same name: %v", err)
		}
		ghost := "uid=ghost,cn=users," + u.base
		if err := c.Members(t.Context(), class.DN, []string{ida.DN, ghost}, nil); err != nil {
			t.Fatal(err)
		}
		if got := u.value(t, class.DN, "memberUid"); got != "ghost|ida.abel" {
			t.Errorf("memberUid = %q", got)
		}
		if err := c.Members(t.Context(), class.DN, nil, []string{ghost}); err != nil {
			t.Fatal(err)
		}
		o, err := c.Get(t.Context(), udm.Groups, class.DN)
		want := udm.Group{Name: "gsmitte-1a", Users: []string{ida.DN}, SchoolRoles: []string{"school_class:school:gsmitte"}}
		if d := cmp.Diff(want, udm.GroupOf(o)); d != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, d)
		}
		contexts := "cn=open-xchange," + u.base
		for _, name := range []string{"context101", "again101"} { // a number twice is taken
			ref, err := c.Create(t.Context(), udm.OXContexts, udm.OXContext{Name: name, ID: 101,
				QuotaMB: 50000}.Object(contexts))
			if err != nil {
				t.Fatal(err)
			}
			o, err := c.Get(t.Context(), udm.OXContexts, ref.DN)
			if d := cmp.Diff(udm.OXContext{Name: name, ID: 101, QuotaMB: 50000}, udm.OXContextOf(o)); d != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, d)
			}
			if err := c.Remove(t.Context(), udm.OXContexts, ref.DN, ""); !errors.Is(err, udm.ErrRefused) {
				t.Errorf("a context with users was removed: %v", err)
			}
		}
	})
}

type events struct {
	mu   sync.Mutex
	list []udm.Event
}

func (e *events) observe(x udm.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, x)
}

// What goes wrong on the way.
func TestOnTheWay(t *testing.T) {
	t.Parallel()
	s := testlife.Of(ucstest.Start())(t)
	if err := s.SeedSchools("gsmitte"); err != nil {
		t.Fatal(err)
	}
	sim := testlife.Of(ucstest.StartUDM(s.URL, s.BindDN, s.Password))(t)
	u := target{url: sim.URL, user: sim.User, password: sim.Password, sim: sim, base: s.BaseDN}
	seen := &events{}
	c := u.client(t, &udm.Options{Observer: udm.ObserverFunc(seen.observe)})

	// A server that is starting is asked again.
	sim.Inject(ucstest.UDMFault{Status: http.StatusServiceUnavailable, Times: 2})
	create(t, c, u.pupils(), u.ida())
	if len(seen.list) != 3 || seen.list[0].Status != 503 || seen.list[2].Status != 201 || c.Requests() != 3 {
		t.Errorf("events: %+v", seen.list)
	}
	impatient := u.client(t, &udm.Options{Patience: -1})
	remove := sim.Inject(ucstest.UDMFault{Status: http.StatusServiceUnavailable, Times: -1})
	_, err := impatient.Get(t.Context(), udm.Users, "uid=ida.abel,"+u.pupils())
	if e, ok := errors.AsType[*udm.Error](err); !ok || !e.Temporary() || e.Sent {
		t.Errorf("starting for long: %v", err)
	}
	remove()
	// A lost answer is told, and the create is not repeated.
	second := u.ida()
	second.Username, second.MailPrimaryAddress = "lost.one", ""
	sim.Inject(ucstest.UDMFault{Method: "POST", Lose: ucstest.LoseAnswer})
	_, err = c.Create(t.Context(), udm.Users, second.Object(u.pupils()))
	if e, ok := errors.AsType[*udm.Error](err); !ok || !e.Sent || !errors.Is(err, udm.ErrUnavailable) {
		t.Errorf("lost answer: %v", err)
	}
	if !s.Exists("uid=lost.one," + u.pupils()) {
		t.Error("the work was not done")
	}
	sim.Inject(ucstest.UDMFault{Method: "DELETE", Lose: ucstest.LoseRequest})
	if err := c.Remove(t.Context(), udm.Users, "uid=lost.one,"+u.pupils(), ""); !errors.Is(err, udm.ErrUnavailable) ||
		!s.Exists("uid=lost.one,"+u.pupils()) {
		t.Errorf("lost request: %v", err)
	}
	// Cancelling ends it at once.
	remove = sim.Inject(ucstest.UDMFault{Delay: time.Hour, Times: -1})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go cancel(cause)
	if _, err := c.Get(ctx, udm.Users, "uid=ida.abel,"+u.pupils()); !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
	remove()
	wrong, err := udm.New(sim.URL, sim.User, "secret-guess", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = wrong.Get(t.Context(), udm.Users, "uid=ida.abel,"+u.pupils())
	if !errors.Is(err, udm.ErrDenied) || strings.Contains(err.Error(), "guess") {
		t.Errorf("wrong password: %v", err)
	}
	for _, bad := range []string{"ldap://x", "https://", "https://u:p@h/udm/", "https://h/udm/?a=b", "://"} {
		if _, err := udm.New(bad, "x", "y", nil); err == nil || strings.Contains(err.Error(), "p@h") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := udm.New("https://h/udm/", "x", "日本", nil); err == nil {
		t.Error("a password that the server cannot read was taken")
	}
}

// Requests with conditions end as those to UDM do, which tells by tag and by date.
func TestConditions(t *testing.T) {
	onAll(t, func(t *testing.T, u target) {
		object := strings.TrimSuffix(u.url, "/") + "/groups/group/" +
			url.PathEscape("cn=schueler-gsmitte,cn=groups,ou=gsmitte,"+u.base)
		send := func(method, header, value string) *http.Response {
			t.Helper()
			var body io.Reader
			if method == http.MethodPatch {
				body = strings.NewReader(`{"properties":{"description":"x"}}`)
			}
			req, err := http.NewRequestWithContext(t.Context(), method, object, body)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(u.user, u.password.Reveal())
			req.Header.Set("Accept", "application/json")
			if body != nil {
				req.Header.Set("Content-Type", "application/json")
			}
			if header != "" {
				req.Header.Set(header, value)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			return res
		}
		const past, future = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
		// A date says something only when the second of the change is over.
		dated := func() string {
			for {
				if h := send("GET", "", "").Header; h.Get("Last-Modified") != "" {
					return h.Get("Etag")
				}
				select {
				case <-time.After(50 * time.Millisecond):
				case <-t.Context().Done():
					t.Fatal(t.Context().Err())
				}
			}
		}
		for _, tc := range []struct {
			method, header, value string
			want                  int
		}{
			{"GET", "If-None-Match", "TAG", 304},
			{"GET", "If-None-Match", `"other", TAG`, 304},
			{"GET", "If-None-Match", `"other"`, 200},
			{"GET", "If-None-Match", "*", 304},
			{"GET", "If-Modified-Since", past, 200},
			{"GET", "If-Modified-Since", future, 304},
			{"GET", "If-Modified-Since", "yesterday", 200},
			{"GET", "If-Match", `"other"`, 200},
			{"PATCH", "If-None-Match", "TAG", 412},
			{"PATCH", "If-Unmodified-Since", past, 412},
			{"PATCH", "If-Match", `"other"`, 412},
			{"PATCH", "If-Match", "other", 400},
			{"PATCH", "If-Match", "TAG", 204},
			{"PATCH", "If-Match", "*", 204},
			{"PATCH", "If-Unmodified-Since", future, 204},
		} {
			value := strings.ReplaceAll(tc.value, "TAG", dated())
			if got := send(tc.method, tc.header, value).StatusCode; got != tc.want {
				t.Errorf("%s with %s: %s: %d, want %d", tc.method, tc.header, tc.value, got, tc.want)
			}
		}
	})
}
