package ucs_test

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

// pwPolicy adds a password policy; pairs are its attributes.
func (b *backend) pwPolicy(t *testing.T, name string, pairs ...string) string {
	t.Helper()
	dn := "cn=" + name + ",cn=policies," + b.base
	b.add(t, dn, append([]string{"objectClass", "top|univentionPolicy|univentionPolicyPWHistory|univentionObject",
		"univentionObjectType", "policies/pwhistory", "cn", name}, pairs...)...)
	return dn
}

// refer attaches a policy to an entry.
func (b *backend) refer(t *testing.T, dn, policy string) {
	t.Helper()
	if classes := strings.Join(b.values(t, dn, "objectClass"), " "); !strings.Contains(classes,
		"univentionPolicyReference") {
		b.addValue(t, dn, "objectClass", "univentionPolicyReference")
	}
	b.addValue(t, dn, "univentionPolicyReference", policy)
}

// An initial password has what UDM writes where a password policy holds: the
// nearest policy decides about each of its attributes, unless one above has
// fixed it.
func TestPasswordPolicy(t *testing.T) {
	pupils := "cn=schueler,cn=users," + gsmitte
	for _, tc := range []struct {
		name    string
		setUp   func(t *testing.T, b *backend)
		history bool
		days    int // 0: none
	}{
		{"none", func(*testing.T, *backend) {}, false, 0},
		{"of the domain", func(t *testing.T, b *backend) {
			b.refer(t, b.base, b.pwPolicy(t, "default", "univentionPWHistoryLen", "3", "univentionPWExpiryInterval", "90"))
		}, true, 90},
		{"the nearest decides", func(t *testing.T, b *backend) {
			b.refer(t, b.base, b.pwPolicy(t, "default", "univentionPWHistoryLen", "3", "univentionPWExpiryInterval", "90"))
			b.refer(t, pupils, b.pwPolicy(t, "pupils", "univentionPWExpiryInterval", "30"))
		}, true, 30},
		{"emptied below", func(t *testing.T, b *backend) {
			b.refer(t, b.base, b.pwPolicy(t, "default", "univentionPWHistoryLen", "3", "univentionPWExpiryInterval", "90"))
			b.refer(t, gsmitte, b.pwPolicy(t, "school", "emptyAttributes", "univentionPWHistoryLen"))
		}, false, 90},
		{"fixed above", func(t *testing.T, b *backend) {
			b.refer(t, b.base, b.pwPolicy(t, "default", "univentionPWHistoryLen", "3", "univentionPWExpiryInterval", "90",
				"fixedAttributes", "univentionPWExpiryInterval"))
			b.refer(t, pupils, b.pwPolicy(t, "pupils", "univentionPWHistoryLen", "0", "univentionPWExpiryInterval", "30"))
		}, false, 90},
		{"of another place", func(t *testing.T, b *backend) {
			b.refer(t, seknord, b.pwPolicy(t, "other", "univentionPWHistoryLen", "3", "univentionPWExpiryInterval", "90"))
		}, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				tc.setUp(t, b)
				c := b.client(t, func(o *ucs.Options) { o.Scheme = ucs.Crypt })
				from := time.Now().UTC()
				create(t, c, pupil(), "Xy7-ooP2")
				until := time.Now().UTC()
				dn := read(t, c, "ida.aebel").DN
				want := ""
				if tc.history {
					want = " " + strings.TrimPrefix(b.value(t, dn, "userPassword"), "{crypt}")
				}
				if got := b.value(t, dn, "pwhistory"); got != want {
					t.Errorf("pwhistory = %q, want %q", got, want)
				}
				max, ends := "", []string{""}
				if tc.days > 0 {
					max = map[int]string{90: "89", 30: "29"}[tc.days]
					ends = []string{from.AddDate(0, 0, tc.days).Format("20060102") + "000000Z",
						until.AddDate(0, 0, tc.days).Format("20060102") + "000000Z"}
				}
				if got := b.value(t, dn, "shadowMax"); got != max {
					t.Errorf("shadowMax = %q, want %q", got, max)
				}
				if got := b.value(t, dn, "krb5PasswordEnd"); got != ends[0] && got != ends[len(ends)-1] {
					t.Errorf("krb5PasswordEnd = %q, want %q", got, ends)
				}
			})
		})
	}
}

// Windows homes and profiles follow the templates, at the start and at another
// school, and not for people who are staff only.
func TestWindowsTemplates(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) {
			o.Windows = ucs.Windows{HomePath: `\\file-<school>\<username>`, HomeDrive: "I:",
				ProfilePath: `%LOGONSERVER%\%USERNAME%`}
		})
		clerk := with(teacher(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Role = "beat.o", "M-1", "", schoolmail.RoleStaff
		})
		for _, a := range []schoolmail.Account{pupil(), clerk} {
			create(t, c, a, "x")
		}
		got := func(name string) string {
			dn := read(t, c, name).DN
			return b.value(t, dn, "sambaHomePath") + " " + b.value(t, dn, "sambaHomeDrive") + " " +
				b.value(t, dn, "sambaProfilePath") + " " + b.value(t, dn, "sambaLogonScript")
		}
		if g, want := got("ida.aebel"), `\\file-gsmitte\ida.aebel I: %LOGONSERVER%\%USERNAME% `; g != want {
			t.Errorf("pupil: %q, want %q", g, want)
		}
		if g := got("beat.o"); g != "   " {
			t.Errorf("staff: %q", g)
		}
		change(t, c, pupil(), with(pupil(),
			func(a *schoolmail.Account) { a.Memberships = []schoolmail.Membership{{School: "sek-nord"}} }))
		if g, want := got("ida.aebel"), `\\file-sek-nord\ida.aebel I: %LOGONSERVER%\%USERNAME% `; g != want {
			t.Errorf("at another school: %q, want %q", g, want)
		}
	})
}

// Classes are no groups of Open-Xchange unless somebody wants them to be, and
// UDM is told so: it would make them groups itself.
func TestClassesInOX(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		create(t, b.client(t, nil), pupil(), "x")
		create(t, b.client(t, func(o *ucs.Options) { o.ClassesInOX = true }), teacher2b(), "x")
		for class, want := range map[string]string{"gsmitte-1a": "Not", "gsmitte-2b": "OK"} {
			if got := b.value(t, classDN(gsmitte, class), "isOxGroup"); got != want {
				t.Errorf("%s: isOxGroup = %q, want %q", class, got, want)
			}
		}
	})
}

func teacher2b() schoolmail.Account {
	return with(teacher(), func(a *schoolmail.Account) {
		a.Memberships = []schoolmail.Membership{{School: "gsmitte", Classes: []string{"2b"}}}
	})
}

// Object identifiers are written where the schema knows them, without asking.
func TestObjectIdentifiers(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		create(t, c, pupil(), "x")
		seen := map[string]bool{}
		for _, dn := range []string{read(t, c, "ida.aebel").DN, classDN(gsmitte, "gsmitte-1a"),
			classDN(gsmitte, "gsmitte-chor")} {
			id := b.value(t, dn, "univentionObjectIdentifier")
			if len(id) != 36 || seen[id] {
				t.Errorf("%s: univentionObjectIdentifier = %q", dn, id)
			}
			seen[id] = true
		}
	})
}

// An initial password that must be changed has expired, by every path, whatever the
// policies say; one that need not has not.
func TestPasswordToBeChanged(t *testing.T) {
	today := func() string { return time.Now().UTC().Format("20060102") + "000000Z" }
	check := func(t *testing.T, b *backend, most string, change bool) {
		t.Helper()
		dn := read(t, b.client(t, nil), "ida.aebel").DN
		before := b.value(t, dn, "shadowLastChange")
		set, expired := b.value(t, dn, "sambaPwdLastSet"), b.value(t, dn, "krb5PasswordEnd")
		last, err := strconv.Atoi(before)
		if err != nil {
			t.Fatal(err)
		}
		days, err := strconv.Atoi(cmp.Or(most, "0"))
		if err != nil {
			t.Fatal(err)
		}
		now := int(time.Now().Unix() / 86400)
		switch {
		case change && (set != "0" || expired > today() || expired == "" || last+days >= now ||
			b.value(t, dn, "shadowMax") != most):
			t.Errorf("can be kept: set %s, expires %s, changed on day %d of %d", set, expired, last, now)
		case !change && (set == "0" || expired != "" || last < now-1):
			t.Errorf("must be changed: set %s, expires %s, changed on day %d of %d", set, expired, last, now)
		}
	}
	for _, change := range []bool{true, false} {
		t.Run(fmt.Sprintf("LDAP, %v", change), func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				create(t, b.client(t, func(o *ucs.Options) { o.ChangePassword = change }), pupil(), "Xy7-ooP2")
				check(t, b, "1", change)
			})
		})
	}
	t.Run("UDM", func(t *testing.T) {
		onBoth(t, func(t *testing.T, b *backend) {
			_, client := b.udmOf(t)
			create(t, b.client(t, func(o *ucs.Options) { o.UDM, o.Write, o.ChangePassword = client, ucs.WriteUDM, true }),
				pupil(), "Xy7-ooP2")
			check(t, b, "1", true)
		})
	})
	t.Run("with a policy", func(t *testing.T) {
		onBoth(t, func(t *testing.T, b *backend) {
			b.refer(t, b.base, b.pwPolicy(t, "default", "univentionPWExpiryInterval", "90"))
			create(t, b.client(t, func(o *ucs.Options) { o.ChangePassword = true }), pupil(), "Xy7-ooP2")
			check(t, b, "90", true)
		})
	})
}
