package ucs_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// district makes the entries of a district: 60 schools, n pupils in classes of
// 22. One pupil and class are made by a client; the others are copies of them
// with other names.
func district(tb testing.TB, n int) []ucstest.Entry {
	s, err := ucstest.Start()
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	const schools = 60
	ids := make([]schoolmail.SchoolID, schools)
	for i := range ids {
		ids[i] = schoolmail.SchoolID(fmt.Sprintf("school%02d", i))
	}
	if err := s.SeedSchools(ids...); err != nil {
		tb.Fatal(err)
	}
	before := s.Len()
	c, err := ucs.New(s.URL, &ucs.Options{BindDN: s.BindDN, Password: s.Password, Plaintext: true, Scheme: ucs.SSHA})
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	sample := with(pupil(), func(a *schoolmail.Account) {
		a.Access, a.Phone = "groupware_standard", ""
		a.Memberships = []schoolmail.Membership{{School: ids[0], Classes: []string{"c0"}}}
	})
	if err := c.CreateAccount(tb.Context(), sample, "Xy7-ooP2"); err != nil {
		tb.Fatal(err)
	}
	all := s.Entries()
	out, made := all[:before:before], all[before:]
	var person, class ucstest.Entry
	for _, e := range made {
		switch {
		case strings.HasPrefix(e.DN, "uid="):
			person = e
		case strings.Contains(e.DN, "cn=klassen"):
			class = e
		}
	}
	for k := range (n + 21) / 22 {
		sch := string(ids[k*schools/((n+21)/22)])
		group := variant(class, "school00-c0", fmt.Sprintf("%s-c%d", sch, k), "school00", sch,
			valueOf(class, "gidNumber"), strconv.Itoa(300000+k), valueOf(class, "sambaSID"), fmt.Sprint("S-1-5-21-1-", k))
		group.Attributes = without(group.Attributes, "uniqueMember", "memberUid", "univentionObjectIdentifier")
		var dns, uids []string
		for i := k * 22; i < min(n, k*22+22); i++ {
			uid := fmt.Sprintf("given%d.family%d", i%700, i)
			p := variant(person, "ida.aebel", uid, "i.aebel", "alias"+uid, "school00", sch, "S-4001", fmt.Sprint("P-", i),
				valueOf(person, "uidNumber"), strconv.Itoa(400000+i), valueOf(person, "sambaSID"), fmt.Sprint("S-1-5-21-2-", i))
			p.Attributes = without(p.Attributes, "univentionObjectIdentifier")
			out = append(out, p)
			dns, uids = append(dns, p.DN), append(uids, uid)
		}
		group.Attributes = append(group.Attributes, ucstest.Attribute{Name: "uniqueMember", Values: dns},
			ucstest.Attribute{Name: "memberUid", Values: uids})
		out = append(out, group)
	}
	return out
}

// variant copies an entry with other words in it.
func variant(e ucstest.Entry, oldNew ...string) ucstest.Entry {
	r := strings.NewReplacer(oldNew...)
	out := ucstest.Entry{DN: r.Replace(e.DN)}
	for _, a := range e.Attributes {
		var vals []string
		for _, v := range a.Values {
			vals = append(vals, r.Replace(v))
		}
		out.Attributes = append(out.Attributes, ucstest.Attribute{Name: a.Name, Values: vals})
	}
	return out
}

func valueOf(e ucstest.Entry, name string) string {
	for _, a := range e.Attributes {
		if a.Name == name {
			return a.Values[0]
		}
	}
	return ""
}

func without(list []ucstest.Attribute, names ...string) []ucstest.Attribute {
	var out []ucstest.Attribute
	for _, a := range list {
		if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+a.Name+" ") {
			out = append(out, a)
		}
	}
	return out
}

// BenchmarkSnapshot reads a district from a real slapd: with this package, with
// go-ldap, and with ldapsearch, which discards what it gets. All ask for the
// same entries and attributes, ldapsearch and go-ldap one after the other.
// SCHOOLMAIL_SCALE=30000 is the intended size:
//
//	SCHOOLMAIL_SCALE=30000 go test ./ucs -run '^$' -bench Snapshot -benchtime 5x
func BenchmarkSnapshot(b *testing.B) {
	n := 3000
	if v, err := strconv.Atoi(os.Getenv("SCHOOLMAIL_SCALE")); err == nil {
		n = v
	}
	s, err := slapd.Run(b.TempDir(), &slapd.Config{Entries: district(b, n)})
	if err != nil {
		b.Skip(err)
	}
	defer s.Stop()
	c, err := ucs.New(s.URL, &ucs.Options{BindDN: s.BindDN, Password: s.Password, Plaintext: true})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	searches := ucs.SnapshotSearches(b.Context(), c)
	b.Run("ldapsearch", func(b *testing.B) {
		if _, err := exec.LookPath("ldapsearch"); err != nil {
			b.Skip("Debian package ldap-utils is not installed")
		}
		for b.Loop() {
			for _, q := range searches {
				args := append([]string{"-x", "-LLL", "-o", "ldif-wrap=no", "-H", s.URL, "-D", s.BindDN, "-w", s.Password.Reveal(),
					"-E", "pr=1000/noprompt", "-b", q.Base, q.Filter}, q.Attributes...)
				cmd := exec.Command("ldapsearch", args...)
				if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != 32 {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("go-ldap", func(b *testing.B) {
		conn, err := ldap.DialURL(s.URL)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		if err := conn.Bind(s.BindDN, s.Password.Reveal()); err != nil {
			b.Fatal(err)
		}
		perEntry(b, n, func() {
			for _, q := range searches {
				_, err := conn.SearchWithPaging(ldap.NewSearchRequest(q.Base, ldap.ScopeWholeSubtree, 0, 0, 0, false, q.Filter,
					q.Attributes, nil), 1000)
				if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("ucs", func(b *testing.B) {
		perEntry(b, n, func() {
			snap, err := c.Snapshot(b.Context())
			if err != nil || len(snap.Accounts) != n {
				b.Fatalf("%v, %v", snap, err)
			}
		})
	})
}

// perEntry reports allocations for each account.
func perEntry(b *testing.B, n int, f func()) {
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	for b.Loop() {
		f()
	}
	runtime.ReadMemStats(&m1)
	b.ReportMetric(float64(m1.Mallocs-m0.Mallocs)/float64(b.N)/float64(n), "allocs/account")
	b.ReportMetric(float64(m1.TotalAlloc-m0.TotalAlloc)/float64(b.N)/float64(n), "B/account")
}

// BenchmarkCreate makes accounts over each path, eight at a time, in one directory: on
// a real UDM where the environment names one, else on the simulator in front of slapd,
// which says what our side costs and not what UDM does.
func BenchmarkCreate(b *testing.B) {
	d, client := benchUDM(b)
	for _, way := range []struct {
		name string
		set  func(*ucs.Options)
	}{
		{"ldap", func(*ucs.Options) {}},
		{"ldap-beside-udm", besideUDM},
		{"auto", func(o *ucs.Options) { o.Write, o.UDM, o.BesideUDM = ucs.WriteAuto, client, true }},
		{"udm", func(o *ucs.Options) { o.Write, o.UDM, o.StateProperty = ucs.WriteUDM, client, "schoolmail" }},
	} {
		b.Run(way.name, func(b *testing.B) {
			opts := &ucs.Options{BindDN: d.bindDN, Password: d.password, Plaintext: true}
			way.set(opts)
			c, err := ucs.New(d.url, opts)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			var wg sync.WaitGroup
			next := make(chan int)
			for range 8 {
				wg.Go(func() {
					for i := range next {
						a := numbered(0)
						a.Username = fmt.Sprintf("%s%d-%d", way.name, b.N, i)
						a.Key.ID, a.Mail, a.DisplayName = a.Username, a.Username+"@schulen.example", a.Username
						if err := c.CreateAccount(b.Context(), a, "Xy7-ooP2-rr41"); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				next <- i
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
		})
	}
}

// benchUDM is the directory and the UDM that BenchmarkCreate writes to.
func benchUDM(b *testing.B) (*backend, *udm.Client) {
	b.Helper()
	env := func(name string) string { return os.Getenv("SCHOOLMAIL_UDM_" + name) }
	d := &backend{url: env("LDAP"), base: env("BASE"), bindDN: env("BINDDN"), password: schoolmail.Secret(env("BINDPW"))}
	at, user, password := env("URL"), env("USER"), schoolmail.Secret(env("PASSWORD"))
	if at == "" {
		model := ucstest.New()
		if err := model.SeedSchools("gsmitte", "sek-nord"); err != nil {
			b.Fatal(err)
		}
		s := slapd.Start(b, nil)
		if err := s.Load(model.Entries()); err != nil {
			b.Fatal(err)
		}
		sim := testlife.Of(ucstest.StartUDM(s.URL, s.BindDN, s.Password,
			ucstest.WithExtendedAttribute("schoolmail", "univentionFreeAttribute20", "univentionFreeAttributes")))(b)
		d = &backend{url: s.URL, base: s.BaseDN, bindDN: s.BindDN, password: s.Password}
		at, user, password = sim.URL, sim.User, sim.Password
	}
	c, err := udm.New(at, user, password, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return d, c
}
