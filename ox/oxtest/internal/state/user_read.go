package state

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// IDOnly is a user as lists answer it: nothing but the id, and what the
// server's object carries by default.
func (c *Context) IDOnly(u *User) *oxuser.User {
	return &oxuser.User{Id: Id32(u.ID), Contextadmin: new(false), ImapPort: Id32(143), ImapSchema: new("imap://"),
		SmtpPort: Id32(25), SmtpSchema: new("smtp://"), UserAttributes: &oxuser.SOAPStringMapMap{},
		Convert_drive_user_folders: new(false)}
}

// Full is a user as getData answers it. Fields that are written but never read
// come back as the request had them.
func (c *Context) Full(u *User, asked *oxuser.User) *oxuser.User {
	out := *u.Data
	out.Id = Id32(u.ID)
	out.Contextadmin = new(u.ID == c.AdminID)
	out.UserAttributes = AttributesOf(u.Attributes)
	out.Password_expired = new(false)
	out.Convert_drive_user_folders = new(false)
	host, port, schema := splitURI(Text(out.ImapServerString), "imap", 143)
	out.ImapPort, out.ImapSchema, out.ImapServer = Id32(port), &schema, nil
	if host != "" {
		out.ImapServer = &host
	}
	mailHost, mailPort, mailSchema := splitURI(Text(out.SmtpServerString), "smtp", 25)
	out.SmtpPort, out.SmtpSchema, out.SmtpServer = Id32(mailPort), &mailSchema, nil
	if mailHost != "" {
		out.SmtpServer = &mailHost
	}
	if asked != nil {
		out.Password, out.FolderTree, out.Default_group = asked.Password, asked.FolderTree, asked.Default_group
		out.Drive_user_folder_mode, out.Drive_folder_mode = asked.Drive_user_folder_mode, asked.Drive_folder_mode
	}
	return &out
}

// UserRef is a user as the services of other types name one.
type UserRef struct {
	Id   *int32
	Name *string
}

// FindUser finds the user that a request names by id or name. If both are given
// both must exist, but they are not compared, and the id counts.
func (s *World) FindUser(c *Context, ref *UserRef, plainName bool) (*User, *soap.Fault) {
	if ref == nil || ref.Id == nil && Text(ref.Name) == "" {
		return nil, s.Fault(KindData, "Username and userid missing.")
	}
	var found *User
	if Text(ref.Name) != "" {
		if found = c.UserByName(*ref.Name); found == nil {
			if plainName {
				return nil, s.Fault(KindNoUser, "No such user %s in context %d", *ref.Name, c.ID)
			}
			return nil, s.lookupFault(KindNoUser, "No such user %s in context %d", *ref.Name, c.ID)
		}
	}
	if ref.Id != nil {
		if found = c.Users[Number(ref.Id)]; found == nil {
			return nil, s.Fault(KindNoUser, "No such user %d in context %d", Number(ref.Id), c.ID)
		}
	}
	return found, nil
}

// FindUsers finds several users. If one is missing, the fault names all ids of
// the request.
func (s *World) FindUsers(c *Context, refs []*UserRef) ([]*User, *soap.Fault) {
	if len(refs) == 0 {
		return nil, s.Fault(KindData, "No users given.")
	}
	var out []*User
	var ids []string
	absent := false
	for _, r := range refs {
		if Text(r.Name) != "" && r.Id == nil {
			u, f := s.FindUser(c, r, false)
			if f != nil {
				return nil, f
			}
			out, ids = append(out, u), append(ids, Itoa(u.ID))
			continue
		}
		if r.Id == nil {
			return nil, s.Fault(KindData, "Username and userid missing.")
		}
		ids = append(ids, Itoa(Number(r.Id)))
		if u := c.Users[Number(r.Id)]; u != nil {
			out = append(out, u)
		} else {
			absent = true
		}
	}
	if absent {
		return nil, s.Fault(KindNoUser, "No such user(s) %s in context %d", strings.Join(ids, ", "), c.ID)
	}
	return out, nil
}

// Search lists the users that match a pattern by login or display name, in the
// order of their login names: like OX, not by id.
func (c *Context) Search(pattern string, fold, guests, noUsers bool) []*User {
	var out []*User
	for _, u := range c.Users {
		if u.Guest && !guests || !u.Guest && noUsers {
			continue
		}
		if Matches(pattern, u.Name(), fold) || Matches(pattern, u.Display(), true) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b *User) int { return cmp.Compare(a.Name(), b.Name()) })
	return out
}

// Window cuts a page out of a list that is sorted by id. Without a length there
// is no page, and the offset is ignored.
func Window[T any](l []T, length, offset *int32) []T {
	if length == nil {
		return l
	}
	from := min(max(Number(offset), 0), len(l))
	return l[from:min(from+max(Number(length), 0), len(l))]
}

func ByID(l []*User, length *int32) []*User {
	if length != nil {
		slices.SortFunc(l, func(a, b *User) int { return cmp.Compare(a.ID, b.ID) })
	}
	return l
}

func (c *Context) IdsOnly(l []*User) []*oxuser.User {
	out := make([]*oxuser.User, len(l))
	for i, u := range l {
		out[i] = c.IDOnly(u)
	}
	return out
}

// CapabilityChange is the parameters of changeCapabilities.
type CapabilityChange struct{ CapsToAdd, CapsToRemove, CapsToDrop *string }

// ChangeCapabilities applies comma lists to a set; a removed capability is kept
// as denied, a dropped one is forgotten.
func (s *World) ChangeCapabilities(set map[string]bool, ch *CapabilityChange) *soap.Fault {
	add, remove, drop := CapabilityList(ch.CapsToAdd), CapabilityList(ch.CapsToRemove), CapabilityList(ch.CapsToDrop)
	if len(add)+len(remove)+len(drop) == 0 {
		return s.Fault(KindData, "No capabilities specified.")
	}
	for _, n := range slices.Concat(add, remove, drop) {
		if isPermissionName(n) {
			return s.Fault(KindData, "Illegal capability: %s", n)
		}
	}
	for _, n := range drop {
		delete(set, n)
	}
	for _, n := range remove {
		set[n] = false
	}
	for _, n := range add {
		set[n] = true
	}
	return nil
}

func CapabilityList(p *string) []string {
	var out []string
	for n := range strings.SplitSeq(Text(p), ",") {
		if n = strings.ToLower(strings.Trim(strings.TrimSpace(n), `"'`)); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// CapabilityText is the answer of getContextCapabilities and getUserCapabilities.
func CapabilityText(set map[string]bool, of string) string {
	var l []string
	for n, on := range set {
		if !on {
			n = "-" + n
		}
		l = append(l, n)
	}
	if len(l) == 0 {
		return "There are no capabilities set for " + of
	}
	slices.Sort(l)
	return strings.Join(l, ", ")
}
