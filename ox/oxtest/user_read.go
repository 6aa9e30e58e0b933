package oxtest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// idOnly is a user as lists answer it: nothing but the id, and what the
// server's object carries by default.
func (c *contextState) idOnly(u *userState) *oxuser.User {
	return &oxuser.User{Id: id32(u.id), Contextadmin: new(false), ImapPort: id32(143), ImapSchema: new("imap://"),
		SmtpPort: id32(25), SmtpSchema: new("smtp://"), UserAttributes: &oxuser.SOAPStringMapMap{},
		Convert_drive_user_folders: new(false)}
}

// full is a user as getData answers it. Fields that are written but never read
// come back as the request had them.
func (c *contextState) full(u *userState, asked *oxuser.User) *oxuser.User {
	out := *u.data
	out.Id = id32(u.id)
	out.Contextadmin = new(u.id == c.adminID)
	out.UserAttributes = attributesOf(u.attributes)
	out.Password_expired = new(false)
	out.Convert_drive_user_folders = new(false)
	host, port, schema := splitURI(text(out.ImapServerString), "imap", 143)
	out.ImapPort, out.ImapSchema, out.ImapServer = id32(port), &schema, nil
	if host != "" {
		out.ImapServer = &host
	}
	mailHost, mailPort, mailSchema := splitURI(text(out.SmtpServerString), "smtp", 25)
	out.SmtpPort, out.SmtpSchema, out.SmtpServer = id32(mailPort), &mailSchema, nil
	if mailHost != "" {
		out.SmtpServer = &mailHost
	}
	if asked != nil {
		out.Password, out.FolderTree, out.Default_group = asked.Password, asked.FolderTree, asked.Default_group
		out.Drive_user_folder_mode, out.Drive_folder_mode = asked.Drive_user_folder_mode, asked.Drive_folder_mode
	}
	return &out
}

// userRef is a user as the services of other types name one.
type userRef struct {
	Id   *int32
	Name *string
}

// findUser finds the user that a request names by id or name. If both are given
// both must exist, but they are not compared, and the id counts.
func (s *State) findUser(c *contextState, ref *userRef, plainName bool) (*userState, *soap.Fault) {
	if ref == nil || ref.Id == nil && text(ref.Name) == "" {
		return nil, s.fault(kindData, "Username and userid missing.")
	}
	var found *userState
	if text(ref.Name) != "" {
		if found = c.userByName(*ref.Name); found == nil {
			if plainName {
				return nil, s.fault(kindNoUser, "No such user %s in context %d", *ref.Name, c.id)
			}
			return nil, s.lookupFault(kindNoUser, "No such user %s in context %d", *ref.Name, c.id)
		}
	}
	if ref.Id != nil {
		if found = c.users[number(ref.Id)]; found == nil {
			return nil, s.fault(kindNoUser, "No such user %d in context %d", number(ref.Id), c.id)
		}
	}
	return found, nil
}

// findUsers finds several users. If one is missing, the fault names all ids of
// the request.
func (s *State) findUsers(c *contextState, refs []*userRef) ([]*userState, *soap.Fault) {
	if len(refs) == 0 {
		return nil, s.fault(kindData, "No users given.")
	}
	var out []*userState
	var ids []string
	absent := false
	for _, r := range refs {
		if text(r.Name) != "" && r.Id == nil {
			u, f := s.findUser(c, r, false)
			if f != nil {
				return nil, f
			}
			out, ids = append(out, u), append(ids, itoa(u.id))
			continue
		}
		if r.Id == nil {
			return nil, s.fault(kindData, "Username and userid missing.")
		}
		ids = append(ids, itoa(number(r.Id)))
		if u := c.users[number(r.Id)]; u != nil {
			out = append(out, u)
		} else {
			absent = true
		}
	}
	if absent {
		return nil, s.fault(kindNoUser, "No such user(s) %s in context %d", strings.Join(ids, ", "), c.id)
	}
	return out, nil
}

// search lists the users that match a pattern by login or display name, in the
// order of their login names: like OX, not by id.
func (c *contextState) search(pattern string, fold, guests, noUsers bool) []*userState {
	var out []*userState
	for _, u := range c.users {
		if u.guest && !guests || !u.guest && noUsers {
			continue
		}
		if matches(pattern, u.name(), fold) || matches(pattern, u.display(), true) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b *userState) int { return cmp.Compare(a.name(), b.name()) })
	return out
}

// window cuts a page out of a list that is sorted by id. Without a length there
// is no page, and the offset is ignored.
func window[T any](l []T, length, offset *int32) []T {
	if length == nil {
		return l
	}
	from := min(max(number(offset), 0), len(l))
	return l[from:min(from+max(number(length), 0), len(l))]
}

func byID(l []*userState, length *int32) []*userState {
	if length != nil {
		slices.SortFunc(l, func(a, b *userState) int { return cmp.Compare(a.id, b.id) })
	}
	return l
}

func (c *contextState) idsOnly(l []*userState) []*oxuser.User {
	out := make([]*oxuser.User, len(l))
	for i, u := range l {
		out[i] = c.idOnly(u)
	}
	return out
}

// capabilityChange is the parameters of changeCapabilities.
type capabilityChange struct{ CapsToAdd, CapsToRemove, CapsToDrop *string }

// changeCapabilities applies comma lists to a set; a removed capability is kept
// as denied, a dropped one is forgotten.
func (s *State) changeCapabilities(set map[string]bool, ch *capabilityChange) *soap.Fault {
	add, remove, drop := capabilityList(ch.CapsToAdd), capabilityList(ch.CapsToRemove), capabilityList(ch.CapsToDrop)
	if len(add)+len(remove)+len(drop) == 0 {
		return s.fault(kindData, "No capabilities specified.")
	}
	for _, n := range slices.Concat(add, remove, drop) {
		if isPermissionName(n) {
			return s.fault(kindData, "Illegal capability: %s", n)
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

func capabilityList(p *string) []string {
	var out []string
	for n := range strings.SplitSeq(text(p), ",") {
		if n = strings.ToLower(strings.Trim(strings.TrimSpace(n), `"'`)); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// capabilityText is the answer of getContextCapabilities and getUserCapabilities.
func capabilityText(set map[string]bool, of string) string {
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
