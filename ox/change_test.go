package ox

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ictmedia/schoolmail"
)

func TestWhatOXWouldRefuse(t *testing.T) {
	t.Parallel()
	addresses := func(ch UserChange) UserChange {
		ch.SetAddresses("a@s.ch", "b@s.ch")
		return ch
	}
	for _, tt := range []struct {
		name string
		ch   UserChange
		ok   bool
	}{
		{"a contact field cleared", UserChange{Department: new("")}, true},
		{"names cleared", UserChange{GivenName: new(""), FamilyName: new(""), DisplayName: new("")}, true},
		{"all addresses at once", addresses(UserChange{}), true},
		{"email1 alone", UserChange{Email1: new("b@s.ch")}, true},
		{"primary address alone", UserChange{PrimaryEmail: new("b@s.ch")}, false},
		{"primary address cleared", UserChange{PrimaryEmail: new(""), Email1: new("")}, false},
		{"primary address not among the aliases", UserChange{PrimaryEmail: new("a@s.ch"), Email1: new("a@s.ch"),
			Aliases: []string{"b@s.ch"}}, false},
		{"aliases emptied", UserChange{Aliases: []string{}}, false},
		{"language cleared", UserChange{Language: new("")}, false},
		{"language without country", UserChange{Language: new("de")}, false},
		{"time zone cleared", UserChange{TimeZone: new("")}, false},
		{"imap server cleared", UserChange{IMAPServer: new("")}, false},
		{"imap port alone", UserChange{IMAPPort: new(993)}, false},
		{"imap port with server", UserChange{IMAPPort: new(993), IMAPServer: new("imap.s.ch")}, true},
		{"date cleared", UserChange{Birthday: new(schoolmail.Date(0))}, false},
		{"image without type", UserChange{Image: []byte{1}}, false},
		{"image removed", UserChange{Image: []byte{}, ImageType: new("image/png")}, false},
		{"mechanism without password", UserChange{PasswordMech: new("BCRYPT")}, false},
		{"mechanism with password", UserChange{PasswordMech: new("BCRYPT"), Password: "x"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{}
			err := newFake(t, f, nil).Context(7, testAdmin).Users.Change(t.Context(), UserRef{ID: 3}, tt.ch)
			if (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && (!errors.Is(err, ErrInvalidData) || len(f.requests) != 0) {
				t.Errorf("got %v after %d requests", err, len(f.requests))
			}
		})
	}
}

// TestWhatCannotBeEmptied: what cannot be said on the wire is refused, for it
// would mean "unchanged" there; and what says nothing is not sent.
func TestWhatCannotBeEmptied(t *testing.T) {
	t.Parallel()
	contexts := func(ch ContextChange) func(*Client) error {
		return func(c *Client) error { return c.Contexts.Change(t.Context(), 7, ch) }
	}
	resources := func(ch ResourceChange) func(*Client) error {
		return func(c *Client) error {
			return c.Context(7, testAdmin).Resources.Change(t.Context(), ResourceRef{ID: 5}, ch)
		}
	}
	groups := func(ch GroupChange) func(*Client) error {
		return func(c *Client) error {
			return c.Context(7, testAdmin).Groups.Change(t.Context(), GroupRef{ID: 5}, ch)
		}
	}
	for _, tt := range []struct {
		name string
		call func(*Client) error
		ok   bool
	}{
		{"context without mappings", contexts(ContextChange{LoginMappings: []string{}}), false},
		{"context without name", contexts(ContextChange{Name: new("")}), false},
		{"no change of a context", contexts(ContextChange{}), true},
		{"resource without permissions", resources(ResourceChange{Permissions: []ResourcePermission{}}), false},
		{"resource without name", resources(ResourceChange{Name: new("")}), false},
		{"no change of a resource", resources(ResourceChange{}), true},
		{"group without name", groups(GroupChange{Name: new("")}), false},
		{"no change of a group", groups(GroupChange{}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{}
			err := tt.call(newFake(t, f, nil))
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrInvalidData) || len(f.requests) != 0 {
				t.Errorf("got %v after %v", err, f.ops())
			}
		})
	}
}

// TestHugeNumbers: a number beyond what the wire carries never becomes another
// one's.
func TestHugeNumbers(t *testing.T) {
	t.Parallel()
	if math.MaxInt == math.MaxInt32 {
		t.Skip("no such numbers here")
	}
	huge := math.MaxInt32
	huge += huge + 2 + 3 // 3 in 32 bits
	for _, got := range []int32{*number(huge), *intTo(&huge), memberIDs([]schoolmail.UserID{schoolmail.UserID(huge)})[0],
		*(UserRef{ID: schoolmail.UserID(huge)}).to().Id} {
		if got != math.MaxInt32 {
			t.Errorf("%d became %d", huge, got)
		}
	}
}

func TestNewUserNeedsItsFields(t *testing.T) {
	t.Parallel()
	good := NewUser{Name: "mia", DisplayName: "Mia", GivenName: "Mia", FamilyName: "L", PrimaryEmail: "mia@s.ch",
		Password: "pw"}
	for name, spoil := range map[string]func(*NewUser){
		"Name":           func(n *NewUser) { n.Name = "" },
		"DisplayName":    func(n *NewUser) { n.DisplayName = "" },
		"GivenName":      func(n *NewUser) { n.GivenName = "" },
		"FamilyName":     func(n *NewUser) { n.FamilyName = "" },
		"PrimaryEmail":   func(n *NewUser) { n.PrimaryEmail = "" },
		"Password":       func(n *NewUser) { n.Password = "" },
		"Access twice":   func(n *NewUser) { n.AccessName, n.Access = "pim", new(AccessWebmail) },
		"Access refused": func(n *NewUser) { n.Access = new(AccessPublicFolderEditable) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, f := good, &fakeServer{}
			spoil(&n)
			_, err := newFake(t, f, nil).Context(7, testAdmin).Users.Create(t.Context(), n)
			if !errors.Is(err, ErrInvalidData) || len(f.requests) != 0 {
				t.Errorf("got %v after %d requests", err, len(f.requests))
			}
		})
	}
}

// TestMinus: what is so already needs no request.
func TestMinus(t *testing.T) {
	t.Parallel()
	u := User{DisplayName: "Mia", Department: "7b", PrimaryEmail: "mia@s.ch", Email1: "mia@s.ch",
		DefaultSender: "mia@s.ch",
		Aliases:       []string{"m@s.ch", "mia@s.ch"}, MailEnabled: true, UploadLimit: 5,
		Attributes: Attributes{"config": {"a": "1", "b": "2"}}}
	same := UserChange{DisplayName: new("Mia"), Department: new("7b"), MailEnabled: new(true), UploadLimit: new(5),
		Note:       new(""),
		Attributes: AttributesChange{"config": {"a": new("1"), "gone": nil}}}
	same.SetAddresses("mia@s.ch", "M@s.ch")
	if got := same.Minus(u); !got.IsZero() {
		t.Errorf("got %+v", got)
	}

	ch := same
	ch.Department = new("")
	ch.Attributes = AttributesChange{"config": {"a": new("1"), "b": nil, "c": new("")}}
	want := UserChange{Department: new(""), Attributes: AttributesChange{"config": {"b": nil, "c": new("")}}}
	if diff := cmp.Diff(want, ch.Minus(u)); diff != "" {
		t.Error(diff)
	}

	// A new primary address takes everything along that OX wants in one request.
	ch = UserChange{}
	ch.SetAddresses("mia.l@s.ch", "mia@s.ch", "m@s.ch")
	if diff := cmp.Diff(ch, ch.Minus(u)); diff != "" {
		t.Error(diff)
	}
	// Another alias alone leaves the rest out.
	ch = UserChange{}
	ch.SetAddresses("mia@s.ch", "m@s.ch", "new@s.ch")
	if diff := cmp.Diff(UserChange{Aliases: []string{"mia@s.ch", "m@s.ch", "new@s.ch"}}, ch.Minus(u)); diff != "" {
		t.Error(diff)
	}
}

// TestMinusOfItself: a change made of a user's own values says nothing, field by field.
func TestMinusOfItself(t *testing.T) {
	t.Parallel()
	var u User
	setSample(reflect.ValueOf(&u).Elem(), 0)
	for f := range reflect.TypeFor[UserChange]().Fields() {
		have := reflect.ValueOf(u).FieldByName(f.Name)
		if f.Type.Kind() != reflect.Pointer || !have.IsValid() {
			continue
		}
		var ch UserChange
		p := reflect.New(f.Type.Elem())
		p.Elem().Set(have)
		reflect.ValueOf(&ch).Elem().FieldByName(f.Name).Set(p)
		if got := ch.Minus(u); !got.IsZero() {
			t.Errorf("%s: the same value is a change", f.Name)
		}
		p.Elem().SetZero()
		if got := ch.Minus(u); got.IsZero() {
			t.Errorf("%s: another value is none", f.Name)
		}
	}
}

func TestAddressesProperty(t *testing.T) {
	t.Parallel()
	address := rapid.StringMatching(`[a-cA-C]{1,2}@s\.ch`)
	rapid.Check(t, func(t *rapid.T) {
		primary := address.Draw(t, "primary")
		others := rapid.SliceOf(address).Draw(t, "others")
		var ch UserChange
		ch.SetAddresses(primary, others...)
		if err := ch.check(); err != nil {
			t.Fatal(err)
		}
		for i, a := range ch.Aliases {
			if containsFold(ch.Aliases[:i], a) {
				t.Fatalf("%q twice in %q", a, ch.Aliases)
			}
		}
		for _, a := range append(others, primary) {
			if !containsFold(ch.Aliases, a) {
				t.Fatalf("%q is missing in %q", a, ch.Aliases)
			}
		}
		// A user who has all that is not changed again, whatever the order and case.
		u := User{PrimaryEmail: primary, Email1: primary, DefaultSender: primary, Aliases: slices.Clone(ch.Aliases)}
		slices.Reverse(u.Aliases)
		if got := ch.Minus(u); !got.IsZero() {
			t.Fatalf("changed again: %+v", got)
		}
	})
}

func TestReassign(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		r    Reassign
		want *int32
	}{
		{"zero value: the administrator", Reassign{}, nil},
		{"somebody", ReassignTo(5), new(int32(5))},
		{"nobody", DiscardShared(), new(int32(-1))},
		{"a forgotten id is the administrator, not nobody", ReassignTo(0), nil},
		{"nor is a negative one", ReassignTo(-5), nil},
	} {
		if diff := cmp.Diff(tt.want, tt.r.value()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestCapabilityText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"": nil, "There are no capabilities set for context 10": nil,
		"There are no capabilities set for user null in context 10": nil,
		"foo, bar": {"bar", "foo"}, "one": {"one"},
	} {
		if diff := cmp.Diff(want, capabilitiesFrom(in)); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}
