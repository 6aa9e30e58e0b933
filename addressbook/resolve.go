package addressbook

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// resolver turns audiences into permissions of one context.
type resolver struct {
	self, admin schoolmail.UserID
	all         []schoolmail.UserID          // ids of all users but self and admin
	byLogin     map[string]schoolmail.UserID // lower case
	byMail      map[string]schoolmail.UserID // of users whose login name is not shown
	groups      map[string]Group             // by lower-case name; unique ones
	members     map[int][]schoolmail.UserID  // of groups
	mails       map[string]string
	missing     map[string]bool // logins without a user
}

func newResolver(have Snapshot, want ContextBooks) *resolver {
	r := &resolver{
		self: have.Self, admin: have.Admin,
		byLogin: map[string]schoolmail.UserID{}, byMail: map[string]schoolmail.UserID{},
		groups: map[string]Group{}, members: map[int][]schoolmail.UserID{}, mails: map[string]string{},
		missing: map[string]bool{},
	}
	shared := map[string]bool{} // addresses of several users tell nobody
	for _, u := range have.Users {
		if u.ID != have.Self && u.ID != have.Admin {
			r.all = append(r.all, u.ID)
		}
		if u.Login != "" {
			r.byLogin[strings.ToLower(u.Login)] = u.ID
		}
		if u.Login == "" && u.Mail != "" {
			m := strings.ToLower(u.Mail)
			if _, ok := r.byMail[m]; ok {
				shared[m] = true
			}
			r.byMail[m] = u.ID
		}
	}
	for m := range shared {
		delete(r.byMail, m)
	}
	twice := map[string]bool{}
	for _, g := range have.Groups {
		r.members[g.ID] = g.Members
		n := strings.ToLower(g.Name)
		if _, ok := r.groups[n]; ok {
			twice[n] = true
		}
		r.groups[n] = g
	}
	for n := range twice {
		delete(r.groups, n)
	}
	for _, l := range want.Logins {
		r.mails[l.Username] = l.Mail
	}
	return r
}

// user finds the id of a person: by login name, or where the service account
// may not see login names by mail address.
func (r *resolver) user(username string) (schoolmail.UserID, bool) {
	if id, ok := r.byLogin[strings.ToLower(username)]; ok {
		return id, true
	}
	if id, ok := r.byMail[strings.ToLower(r.mails[username])]; ok {
		return id, true
	}
	r.missing[username] = true
	return 0, false
}

// admit grants the groups whose members are all allowed to read, and notes whom that
// covers. It returns the names of those that have other members.
func (r *resolver) admit(names []string, allowed map[schoolmail.UserID]bool, granted map[Permission]bool,
	covered map[schoolmail.UserID]bool,
) (refused []string) {
	for _, name := range names {
		g, ok := r.groups[strings.ToLower(name)]
		switch {
		case !ok || g.ID == 0 || len(g.Members) == 0:
		case slices.ContainsFunc(g.Members, func(id schoolmail.UserID) bool { return !allowed[id] && id != r.self }):
			refused = append(refused, g.Name)
		default:
			granted[Permission{Entity: g.ID, Group: true, Right: ReadOnly}] = true
			for _, id := range g.Members {
				covered[id] = true
			}
		}
	}
	return refused
}

// permissions lets exactly the audiences read, and the service account own.
// A group is used only if every member is a reader. refused are the names of
// groups that exist but have other members.
func (r *resolver) permissions(audiences []Audience) (perms []Permission, refused []string) {
	allowed := map[schoolmail.UserID]bool{}
	ids := make([][]schoolmail.UserID, len(audiences))
	for i, a := range audiences {
		for _, name := range a.Users {
			if id, ok := r.user(name); ok && id != r.self {
				ids[i] = append(ids[i], id)
				allowed[id] = true
			}
		}
	}
	granted := map[Permission]bool{{Entity: int(r.self), Right: Owner}: true}
	covered := map[schoolmail.UserID]bool{}
	for _, a := range audiences {
		refused = append(refused, r.admit(a.Groups, allowed, granted, covered)...)
	}
	everybody := len(r.all) > 0 && !slices.ContainsFunc(r.all, func(id schoolmail.UserID) bool { return !allowed[id] })
	for i, a := range audiences {
		if a.Ungrouped == UngroupedTogether && everybody {
			granted = map[Permission]bool{
				{Entity: int(r.self), Right: Owner}:       true,
				{Entity: 0, Group: true, Right: ReadOnly}: true,
			}
			break
		}
		if a.Ungrouped == UngroupedOut {
			continue
		}
		for _, id := range ids[i] {
			if !covered[id] {
				granted[Permission{Entity: int(id), Right: ReadOnly}] = true
			}
		}
	}
	for p := range granted {
		perms = append(perms, p)
	}
	sortPermissions(perms)
	slices.Sort(refused)
	return perms, slices.Compact(refused)
}

// readers counts the users whom the permissions let read.
func (r *resolver) readers(perms []Permission) int {
	in := map[schoolmail.UserID]bool{}
	for _, p := range perms {
		switch {
		case p.Right != ReadOnly:
		case p.Group && p.Entity == 0:
			return len(r.all)
		case p.Group:
			for _, id := range r.members[p.Entity] {
				in[id] = true
			}
		default:
			in[schoolmail.UserID(p.Entity)] = true
		}
	}
	return len(in)
}
