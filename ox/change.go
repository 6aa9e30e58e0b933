package ox

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// AttributesChange is what to write to attributes: keys with a value are set, keys
// with nil are deleted, all others stay.
type AttributesChange map[string]map[string]*string

// NewUser is a user to be created. The plain fields are mandatory in OX.
type NewUser struct {
	Name         string // login name; letters, digits and [$@%.+_-]; upper and lower case differ
	DisplayName  string // unique in the context
	GivenName    string
	FamilyName   string
	PrimaryEmail string
	Password     schoolmail.Secret

	Aliases []string // further addresses, without the primary one

	// AccessName is a named access combination, for example "groupware_standard",
	// and Access a set of flags; at most one of them. With neither, the user gets
	// what the context's administrator has.
	AccessName string
	Access     *Access

	// More holds everything else; what stands above wins.
	More UserChange
}

// change returns the user as one change.
func (n *NewUser) change() UserChange {
	ch := n.More
	ch.Name, ch.DisplayName = &n.Name, &n.DisplayName
	ch.GivenName, ch.FamilyName = &n.GivenName, &n.FamilyName
	ch.Password = n.Password
	sender := ch.DefaultSender
	ch.SetAddresses(n.PrimaryEmail, n.Aliases...)
	if sender != nil {
		ch.DefaultSender = sender
	}
	return ch
}

// check refuses before the call what OX would refuse or silently ignore.
func (n *NewUser) check(rules AccessRules) error {
	var missing []string
	for _, f := range []struct{ name, value string }{
		{"Name", n.Name}, {"DisplayName", n.DisplayName}, {"GivenName", n.GivenName}, {"FamilyName", n.FamilyName},
		{"PrimaryEmail", n.PrimaryEmail}, {"Password", n.Password.Reveal()},
	} {
		if f.value == "" {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("mandatory fields not set: %s", strings.Join(missing, ", "))
	}
	if n.Access != nil {
		if n.AccessName != "" {
			return errors.New("both Access and AccessName are set")
		}
		if err := n.Access.Check(rules); err != nil {
			return err
		}
	}
	ch := n.change()
	return ch.check()
}

// SetAddresses sets everything that belongs to a change of mail addresses, the
// way OX wants it, in one request: the primary address, Email1 and the default
// sender, which are the same, and the whole set of addresses.
func (ch *UserChange) SetAddresses(primary string, others ...string) {
	ch.PrimaryEmail, ch.Email1, ch.DefaultSender = &primary, &primary, &primary
	ch.Aliases = []string{primary}
	for _, a := range others {
		if a != "" && !containsFold(ch.Aliases, a) {
			ch.Aliases = append(ch.Aliases, a)
		}
	}
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return strings.EqualFold(e, s) })
}

// OtherAddresses returns the user's addresses without the primary one, sorted.
func (u *User) OtherAddresses() []string {
	var out []string
	for _, a := range u.Aliases {
		if !strings.EqualFold(a, u.PrimaryEmail) {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

// Minus returns ch without what u has already. A change that changes nothing
// costs the server as much as a real one, so compare first:
//
//	if ch = ch.Minus(u); !ch.IsZero() {
//		err = users.Change(ctx, ox.UserRef{ID: u.ID}, ch)
//	}
//
// Fields that never come back (Password, FolderTree, DriveFolderMode,
// ConvertDriveFolders) stay. If one of the addresses differs, all that
// [UserChange.SetAddresses] sets stays together.
func (ch UserChange) Minus(u User) UserChange {
	have := reflect.ValueOf(&u).Elem()
	out := reflect.ValueOf(&ch).Elem()
	addresses := ch
	for i := range out.NumField() {
		f, name := out.Field(i), out.Type().Field(i).Name
		h := have.FieldByName(name)
		if f.Kind() != reflect.Pointer || f.IsNil() || !h.IsValid() {
			continue
		}
		if h.Interface() == f.Elem().Interface() {
			f.SetZero()
		}
	}
	if ch.Aliases != nil && sameSet(ch.Aliases, u.Aliases) {
		ch.Aliases = nil
	}
	if ch.Image != nil && string(ch.Image) == string(u.Image) {
		ch.Image, ch.ImageType = nil, nil
	} else if ch.Image != nil && ch.ImageType == nil {
		ch.ImageType = addresses.ImageType
	}
	if ch.PrimaryEmail != nil {
		ch.Email1, ch.DefaultSender, ch.Aliases = addresses.Email1, addresses.DefaultSender, addresses.Aliases
	}
	ch.Attributes = ch.Attributes.minus(u.Attributes)
	return ch
}

// minus drops what is already so.
func (a AttributesChange) minus(have Attributes) AttributesChange {
	var out AttributesChange
	for space, keys := range a {
		for key, value := range keys {
			old, exists := have[space][key]
			if value == nil && !exists || value != nil && exists && *value == old {
				continue
			}
			if out == nil {
				out = make(AttributesChange)
			}
			if out[space] == nil {
				out[space] = make(map[string]*string)
			}
			out[space][key] = value
		}
	}
	return out
}

// sameSet compares addresses as OX does, without regard to order and case.
func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !containsFold(b, s) }) &&
		!slices.ContainsFunc(b, func(s string) bool { return !containsFold(a, s) })
}

// IsZero reports whether the change changes nothing.
func (ch *UserChange) IsZero() bool { return reflect.ValueOf(ch).Elem().IsZero() }

// check refuses before the call what OX would refuse or silently ignore.
func (ch *UserChange) check() error {
	for _, f := range []struct {
		name  string
		value *string
	}{
		{"Name", ch.Name}, {"PrimaryEmail", ch.PrimaryEmail}, {"Language", ch.Language}, {"TimeZone", ch.TimeZone},
		{"IMAPServer", ch.IMAPServer}, {"IMAPLogin", ch.IMAPLogin}, {"SMTPServer", ch.SMTPServer},
	} {
		if f.value != nil && *f.value == "" {
			return fmt.Errorf("%s cannot be cleared", f.name)
		}
	}
	for _, f := range []struct {
		name  string
		value *schoolmail.Date
	}{{"Birthday", ch.Birthday}, {"Anniversary", ch.Anniversary}} {
		if f.value != nil && f.value.IsZero() {
			return fmt.Errorf("%s cannot be cleared", f.name)
		}
	}
	switch {
	case ch.Language != nil && !strings.Contains(*ch.Language, "_"):
		return fmt.Errorf("language %q has no underscore (expected, for example, en_US)", *ch.Language)
	case ch.Aliases != nil && len(ch.Aliases) == 0:
		return errors.New("the set of aliases cannot be emptied: it holds the primary address")
	case ch.PrimaryEmail != nil && (ch.Email1 == nil || !strings.EqualFold(*ch.Email1, *ch.PrimaryEmail)):
		return errors.New("a new PrimaryEmail needs Email1 with the same address")
	case ch.Aliases != nil && ch.PrimaryEmail != nil && !containsFold(ch.Aliases, *ch.PrimaryEmail):
		return errors.New("the new PrimaryEmail is not among Aliases")
	case ch.Image != nil && ch.ImageType == nil:
		return errors.New("an Image needs an ImageType")
	case ch.Image != nil && len(ch.Image) == 0:
		return errors.New("an image cannot be removed")
	case len(ch.Image) > 4194304:
		return fmt.Errorf("the image has %d bytes, the limit is 4194304", len(ch.Image))
	case ch.PasswordMech != nil && ch.Password == "":
		return errors.New("a PasswordMech needs a Password")
	case ch.IMAPPort != nil && ch.IMAPServer == nil:
		return errors.New("an IMAPPort has no effect without IMAPServer")
	case ch.SMTPPort != nil && ch.SMTPServer == nil:
		return errors.New("an SMTPPort has no effect without SMTPServer")
	}
	return nil
}
