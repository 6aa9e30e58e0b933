package ucs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// killer ends a client at one of its effects, a request that writes to a server:
// before it is sent, or when it was done and nobody hears of it.
type killer struct {
	at      int  // which effect, from 1
	done    bool // it is carried out
	mu      sync.Mutex
	effects int
	dead    bool
	end     context.CancelFunc
}

var errKilled = errors.New("killed")

// effect counts an effect, and says whether it is still sent.
func (k *killer) effect() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return errKilled
	}
	if k.effects++; k.effects != k.at {
		return nil
	}
	k.dead = true
	if !k.done {
		k.end()
		return errKilled
	}
	return nil
}

func (k *killer) isDead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

// dial connects to the directory.
func (k *killer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if k.isDead() {
		return nil, errKilled
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &mortal{c, k}, nil
}

type mortal struct {
	net.Conn
	k *killer
}

func (m *mortal) Write(b []byte) (int, error) {
	p, err := ber.DecodePacketErr(b)
	if err == nil && len(p.Children) > 1 && slices.Contains([]ber.Tag{ldap.ApplicationAddRequest,
		ldap.ApplicationModifyRequest, ldap.ApplicationDelRequest, ldap.ApplicationModifyDNRequest}, p.Children[1].Tag) {
		err = m.k.effect()
	} else if m.k.isDead() {
		err = errKilled
	}
	if err != nil {
		m.Conn.Close()
		return 0, err
	}
	return m.Conn.Write(b)
}

func (m *mortal) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.k.isDead() {
		m.k.end()
		return 0, io.EOF
	}
	return n, err
}

// RoundTrip sends a request to UDM.
func (k *killer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		if k.isDead() {
			return nil, errKilled
		}
		return http.DefaultTransport.RoundTrip(req)
	}
	if err := k.effect(); err != nil {
		return nil, err
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if k.isDead() {
		k.end()
		if err == nil {
			res.Body.Close()
		}
		return nil, errKilled
	}
	return res, err
}

// TestKilledAtEveryEffect ends the client at every single effect of every sort of
// write, before it and after it, over every path. Who does the same again gets the
// account as it was meant, whole and once.
func TestKilledAtEveryEffect(t *testing.T) {
	const password = "Xy7-ooP2-rr41"
	for name, opts := range map[string]func(*ucs.Options, *udm.Client){
		"ldap": func(*ucs.Options, *udm.Client) {},
		"udm":  func(o *ucs.Options, c *udm.Client) { o.Write, o.UDM = ucs.WriteUDM, c },
		"udm with attribute": func(o *ucs.Options, c *udm.Client) {
			o.Write, o.UDM, o.StateProperty = ucs.WriteUDM, c, "schoolmail"
		},
		"auto": func(o *ucs.Options, c *udm.Client) { o.Write, o.UDM, o.BesideUDM = ucs.WriteAuto, c, true },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				sim, live := b.udmOf(t)
				whole := b.client(t, func(o *ucs.Options) { opts(o, live) })
				effects := 0
				for _, op := range lives(password) {
					for n := 1; ; n++ {
						reached := true
						for _, done := range []bool{false, true} {
							a := numbered(0)
							a.Username = op.name + strconv.Itoa(n) + fmt.Sprint(done)
							a.Key.ID, a.Mail, a.DisplayName = a.Username, a.Username+"@schulen.example", a.Username
							a.State = schoolmail.Active
							cur := op.prepare(t, whole, a)
							k := &killer{at: n, done: done}
							ctx, cancel := context.WithCancel(t.Context())
							k.end = cancel
							mortal, err := udm.New(sim.URL, sim.User, sim.Password, &udm.Options{Patience: -1,
								HTTPClient: &http.Client{Transport: k}})
							if err != nil {
								t.Fatal(err)
							}
							c := b.client(t, func(o *ucs.Options) { o.Dial = k.dial; opts(o, mortal) })
							err = op.do(ctx, c, cur)
							c.Close()
							cancel()
							if reached = k.isDead(); !reached && err != nil {
								t.Fatalf("%s: %v", op.name, err)
							}
							b.laterOn(t)
							if err := op.do(t.Context(), whole, cur); err != nil {
								t.Errorf("%s, effect %d, done %v: again: %v", op.name, n, done, err)
								continue
							}
							b.isWhole(t, whole, op.want(cur), fmt.Sprintf("%s, effect %d, done %v", op.name, n, done))
						}
						if !reached {
							break
						}
						effects++
					}
				}
				t.Logf("%d effects", effects)
			})
		})
	}
}

// life is a sort of write.
type life struct {
	name    string
	prepare func(t *testing.T, c *ucs.Client, a schoolmail.Account) schoolmail.Account
	do      func(ctx context.Context, c *ucs.Client, cur schoolmail.Account) error
	want    func(cur schoolmail.Account) *schoolmail.Account // nil: gone
}

func lives(password schoolmail.Secret) []life {
	made := func(t *testing.T, c *ucs.Client, a schoolmail.Account) schoolmail.Account {
		create(t, c, a, password)
		return read(t, c, a.Username)
	}
	changed := func(name string, f func(*schoolmail.Account)) life {
		next := func(cur schoolmail.Account) schoolmail.Account { return with(cur, f) }
		return life{name: name, prepare: made,
			do: func(ctx context.Context, c *ucs.Client, cur schoolmail.Account) error {
				return c.ChangeAccount(ctx, cur, next(cur))
			},
			want: func(cur schoolmail.Account) *schoolmail.Account { a := next(cur); return &a }}
	}
	return []life{
		{name: "create",
			prepare: func(_ *testing.T, _ *ucs.Client, a schoolmail.Account) schoolmail.Account {
				a.State = schoolmail.Pending
				return a
			},
			do: func(ctx context.Context, c *ucs.Client, cur schoolmail.Account) error {
				return c.CreateAccount(ctx, cur, password)
			},
			want: func(cur schoolmail.Account) *schoolmail.Account { return &cur }},
		changed("rename", func(a *schoolmail.Account) {
			a.GivenName, a.FamilyName, a.DisplayName = "Ída", "Rossi", "Ída Rossi "+a.Username
			a.Aliases, a.Mail = []string{a.Mail}, "new."+a.Mail
		}),
		changed("name", func(a *schoolmail.Account) {
			a.Former = []schoolmail.Former{{Username: a.Username, Mail: a.Mail, Until: schoolmail.NewDate(2027, 6, 1)}}
			a.Aliases, a.Mail = []string{a.Mail}, "new."+a.Mail
			a.Username += ".new"
		}),
		changed("move", func(a *schoolmail.Account) {
			a.Memberships = []schoolmail.Membership{{School: "sek-nord", Classes: []string{"9z"}}}
		}),
		changed("role", func(a *schoolmail.Account) { a.Role, a.Context, a.Access = schoolmail.RoleTeacher, 102, "premium" }),
		changed("close", func(a *schoolmail.Account) {
			a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
		}),
		{name: "purge", prepare: made,
			do: func(ctx context.Context, c *ucs.Client, cur schoolmail.Account) error {
				err := c.PurgeAccount(ctx, cur, schoolmail.NewDate(2027, 6, 1))
				if errors.Is(err, schoolmail.ErrNotFound) {
					return nil // it was done
				}
				return err
			},
			want: func(schoolmail.Account) *schoolmail.Account { return nil }},
	}
}

// laterOn lets the locks that somebody has left end, as they do after five minutes.
func (b *backend) laterOn(t *testing.T) {
	t.Helper()
	c := b.conn(t)
	defer c.Close()
	res, err := c.Search(ldap.NewSearchRequest("cn=temporary,cn=univention,"+b.base, ldap.ScopeWholeSubtree, 0, 0, 0,
		false, "(objectClass=lock)", []string{"1.1"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Entries {
		req := ldap.NewModifyRequest(e.DN, nil)
		req.Replace("lockTime", []string{"1000"})
		if err := c.Modify(req); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
			t.Fatal(err)
		}
	}
}

// isWhole compares an account, and the groups that it is in, with what is wanted.
func (b *backend) isWhole(t *testing.T, c *ucs.Client, want *schoolmail.Account, what string) {
	t.Helper()
	conn := b.conn(t)
	defer conn.Close()
	if want == nil {
		return // that nobody has the name is what its purge has seen
	}
	got, err := c.Account(t.Context(), want.Username)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if d := diff(*want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
	uid := ldap.EscapeFilter(want.Username)
	groups := func(filter string) []string {
		res, err := conn.Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter,
			[]string{"cn"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range res.Entries {
			out = append(out, strings.ToLower(e.GetAttributeValue("cn")))
		}
		slices.Sort(out)
		return out
	}
	school := string(want.Memberships[0].School)
	role := map[schoolmail.Role]string{schoolmail.RolePupil: "schueler", schoolmail.RoleTeacher: "lehrer"}[want.Role]
	in := []string{"domain users " + school, role + "-" + school}
	for _, class := range want.Memberships[0].Classes {
		in = append(in, strings.ToLower(school+"-"+class))
	}
	slices.Sort(in)
	if byDN := groups("(uniqueMember=" + ldap.EscapeFilter(got.DN) + ")"); !slices.Equal(byDN, in) {
		t.Errorf("%s: in groups %q by DN, want %q", what, byDN, in)
	}
	if byName := groups("(memberUid=" + uid + ")"); !slices.Equal(byName, in) {
		t.Errorf("%s: in groups %q by name, want %q", what, byName, in)
	}
	if n := groups("(uid=" + uid + ")"); len(n) != 1 {
		t.Errorf("%s: %d accounts", what, len(n))
	}
}
