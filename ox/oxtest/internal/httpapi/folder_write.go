package httpapi

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// folderChange is the body of new and update.
type folderChange struct {
	Title       *string         `json:"title"`
	Module      *string         `json:"module"`
	Parent      json.RawMessage `json:"folder_id"`
	Permissions *[]struct {
		Entity *int  `json:"entity"`
		Group  *bool `json:"group"`
		Bits   *int  `json:"bits"`
	} `json:"permissions"`
}

func (rq *request) folderBody() (folderChange, *failure) {
	var wrapped struct {
		Folder       *folderChange   `json:"folder"`
		Notification json.RawMessage `json:"notification"`
	}
	if problem := rq.decode(&wrapped); problem != nil {
		return folderChange{}, problem
	}
	if wrapped.Folder != nil {
		return *wrapped.Folder, nil
	}
	var bare folderChange
	problem := rq.decode(&bare)
	return bare, problem
}

// permissions checks and converts the permissions of a body.
func (rq *request) permissions(b folderChange) ([]state.Permission, *failure) {
	var out []state.Permission
	for _, p := range *b.Permissions {
		if p.Entity == nil || p.Group == nil || p.Bits == nil {
			return nil, oxErr("FLD-1019", catInput, "Missing parameter in a permission.")
		}
		bits, problem := checkLevels(*p.Bits)
		if problem != nil {
			return nil, problem
		}
		out = append(out, state.Permission{Entity: *p.Entity, Group: *p.Group, Bits: bits})
	}
	return out, nil
}

// checkEntities looks for repeated and unknown entities.
func (rq *request) checkEntities(perms []state.Permission) *failure {
	seen := map[state.Permission]bool{}
	for _, p := range perms {
		key := state.Permission{Entity: p.Entity, Group: p.Group, Bits: 0}
		if seen[key] {
			if p.Group {
				return oxErr("FLD-0080", catInput, "Duplicate permission for group %d.", p.Entity)
			}
			return oxErr("FLD-0079", catInput, "Duplicate permission for user %d.", p.Entity)
		}
		seen[key] = true
	}
	groups := rq.api.dir.groups(rq.who.cid)
	for _, p := range perms {
		if !p.Group {
			if _, ok := rq.api.dir.user(rq.who.cid, p.Entity); !ok {
				return oxErr("USR-0010", catInput, "Cannot find user with identifier %d in context %d.", p.Entity, rq.who.cid)
			}
			continue
		}
		if p.Entity != 0 && p.Entity != 2147483647 && !slices.ContainsFunc(groups,
			func(g groupView) bool { return g.id == p.Entity }) {
			return oxErr("FLD-0044", catInput, "Unknown entity %d in the permissions.", p.Entity)
		}
	}
	return nil
}

// reservedTitles are folder names that OX keeps for itself.
var reservedTitles = []string{"Contacts", "Kontakte", "Global address book", "Globales Adressbuch", "All users",
	"Alle Benutzer",
	"Calendar", "Kalender", "Tasks", "Aufgaben", "Collected addresses", "Gesammelte Adressen"}

// checkTitle checks a title below a parent; except is the folder being renamed.
func (rq *request) checkTitle(title string, parent int, except int) *failure {
	if slices.Contains(reservedTitles, title) {
		return oxErr("FLD-1033", catInput, "The folder name %q is reserved.", title)
	}
	for _, c := range rq.who.pim.Children(parent) {
		if c.ID == except || (parent == state.FolderPrivate && c.CreatedBy != rq.who.uid) {
			continue
		}
		if c.Title == title {
			return oxErr("FLD-1014", catInput, "A folder named %q already exists below folder %d.", title, parent)
		}
	}
	if utf8.RuneCountInString(title) > 767 {
		return oxErr("FLD-0064", catTruncated, "The folder name is too long.").with("problematic",
			[]any{map[string]any{"id": 300, "max_size": 767}})
	}
	return nil
}

// checkAdmins applies the rules about administrators and returns the list to store.
func (rq *request) checkAdmins(perms []state.Permission, kind, owner int) ([]state.Permission, *failure) {
	if kind == state.TypePrivate {
		admins := 0
		for _, p := range perms {
			if unpack(p.Bits).admin == 0 {
				continue
			}
			admins++
			switch {
			case p.Group:
				return nil, oxErr("FLD-0017", catInput, "A group cannot administer a private folder.")
			case p.Entity != owner:
				return nil, oxErr("FLD-0016", catInput, "Only the owner can administer a private folder.")
			}
		}
		if admins != 1 {
			return nil, oxErr("FLD-0015", catInput, "A private folder needs exactly one administrator.")
		}
		if len(perms) > 1 && !rq.who.user.shareFolders {
			return nil, oxErr("FLD-0072", catPermission, "You may not share folders.")
		}
		return perms, nil
	}
	// The creator of a public folder always stays its administrator.
	for i, p := range perms {
		if !p.Group && p.Entity == owner {
			if unpack(p.Bits).admin == 0 && !slices.ContainsFunc(perms,
				func(q state.Permission) bool { return unpack(q.Bits).admin > 0 }) {
				perms[i].Bits |= state.BitsAdmin
			}
			return perms, nil
		}
	}
	return append(perms, state.Permission{Entity: owner, Group: false, Bits: state.BitsAdmin}), nil
}

func foldersNew(rq *request) (reply, *failure) {
	if problem := rq.checkTree(); problem != nil {
		return reply{}, problem
	}
	parentID := rq.params["folder_id"]
	if parentID == "" {
		parentID = rq.params["folder"]
	}
	if parentID == "" {
		return reply{}, missingParameter("folder_id")
	}
	body, problem := rq.folderBody()
	if problem != nil {
		return reply{}, problem
	}
	if body.Title == nil || strings.TrimSpace(*body.Title) == "" {
		return reply{}, oxErr("FLD-0007", catInput, "Missing folder attribute: title")
	}
	module := "contacts"
	if body.Module != nil {
		module = *body.Module
	}
	id, _, problem := rq.folderID(parentID)
	if problem != nil {
		return reply{}, problem
	}
	parent := rq.who.pim.Folders[id]
	noSubfolders := oxErr("FLD-0006", catPermission, "You may not create subfolders below folder %d.", id)
	if parent == nil {
		return reply{}, oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	}
	if !rq.visible(parent) || rq.rights(parent).folder < levelSubfolder {
		return reply{}, noSubfolders
	}
	switch module {
	case "contacts":
		if !rq.who.user.contacts {
			return reply{}, oxErr("FLD-0002", catPermission, "No access to the module contacts.")
		}
	case "calendar":
		if !rq.who.user.calendar {
			return reply{}, oxErr("FLD-0002", catPermission, "No access to the module calendar.")
		}
	case "tasks":
	default:
		return reply{}, oxErr("FLD-0014", catInput, "Module %q is not possible below folder %d.", module, id)
	}
	kind := state.TypePublic
	if parent.ID == state.FolderPrivate || parent.Kind == state.TypePrivate {
		kind = state.TypePrivate
	}
	if kind == state.TypePublic && !rq.who.user.editPublicFolders {
		return reply{}, oxErr("FLD-0005", catPermission, "You may not write to public folders.")
	}
	perms := []state.Permission{{Entity: rq.who.uid, Group: false, Bits: state.BitsOwner}}
	if body.Permissions != nil {
		if perms, problem = rq.permissions(body); problem != nil {
			return reply{}, problem
		}
		if perms, problem = rq.checkAdmins(perms, kind, rq.who.uid); problem != nil {
			return reply{}, problem
		}
	}
	title := strings.TrimRight(*body.Title, " ")
	if problem := rq.checkTitle(title, parent.ID, -1); problem != nil {
		return reply{}, problem
	}
	if problem := rq.checkEntities(perms); problem != nil {
		return reply{}, problem
	}
	f := rq.who.pim.AddFolder(&state.Folder{Parent: parent.ID, Title: title, Module: module, Kind: kind, Perms: perms,
		CreatedBy: rq.who.uid})
	return reply{data: strconv.Itoa(f.ID), timestamp: f.Modified}, nil
}

func (rq *request) folderConflict(f *state.Folder) *failure {
	ts, ok := rq.params["timestamp"]
	if !ok || ts == "" || ts == "null" {
		return nil
	}
	n, err := strconv.ParseInt(ts, 10, 64)
	if err != nil {
		return badValue("timestamp")
	}
	if f.Modified > n {
		return oxErr("FLD-1022", catConflict, "The folder %d was changed meanwhile.", f.ID)
	}
	return nil
}

// folderToChange finds the folder that the parameter id names and checks what may be
// changed of it at all.
func (rq *request) folderToChange(id string) (f *state.Folder, composite bool, problem *failure) {
	f, composite, problem = rq.folder(id)
	if problem != nil {
		// The creator may have been left with the admin bit alone, which
		// suffices to change the folder.
		n, _, bad := rq.folderID(id)
		if bad != nil {
			return nil, false, bad
		}
		if f = rq.who.pim.Folders[n]; f == nil || rq.rights(f).admin == 0 {
			return nil, false, problem
		}
	}
	switch {
	case rq.rights(f).admin == 0:
		return nil, false, oxErr("FLD-0010", catPermission, "You do not administer folder %d.", f.ID)
	case f.ID < 20:
		return nil, false, oxErr("FLD-0081", catPermission, "System folder %d cannot be changed so.", f.ID)
	case f.Kind == state.TypePublic && !rq.who.user.editPublicFolders:
		return nil, false, oxErr("FLD-0005", catPermission, "You may not write to public folders.")
	}
	return f, composite, rq.folderConflict(f)
}

// newParent is the folder that a change moves f below; its present one if it does not.
func (rq *request) newParent(f *state.Folder, body folderChange) (int, *failure) {
	if len(body.Parent) == 0 || string(body.Parent) == "null" {
		return f.Parent, nil
	}
	n, _, problem := rq.folderID(strings.Trim(string(body.Parent), `"`))
	if problem != nil || n == f.Parent {
		return n, problem
	}
	p := rq.who.pim.Folders[n]
	if p == nil || rq.rights(p).folder < levelSubfolder {
		return 0, oxErr("FLD-0006", catPermission, "You may not create subfolders below folder %d.", n)
	}
	for q := p; q != nil; q = rq.who.pim.Folders[q.Parent] {
		if q.ID == f.ID {
			return 0, oxErr("FLD-0014", catInput, "A folder cannot be moved below itself.")
		}
	}
	return n, nil
}

// newPermissions are those that a change gives f; its present ones if it does not.
func (rq *request) newPermissions(f *state.Folder, body folderChange) ([]state.Permission, *failure) {
	if body.Permissions == nil {
		return f.Perms, nil
	}
	perms, problem := rq.permissions(body)
	if problem != nil {
		return nil, problem
	}
	return rq.checkAdmins(perms, f.Kind, f.CreatedBy)
}

func foldersUpdate(rq *request) (reply, *failure) {
	if problem := rq.checkTree(); problem != nil {
		return reply{}, problem
	}
	id, problem := rq.need("id")
	if problem != nil {
		return reply{}, problem
	}
	body, problem := rq.folderBody()
	if problem != nil {
		return reply{}, problem
	}
	f, composite, problem := rq.folderToChange(id)
	if problem != nil {
		return reply{}, problem
	}
	if problem := rq.changeFolder(f, body); problem != nil {
		return reply{}, problem
	}
	out := strconv.Itoa(f.ID)
	if composite {
		out = compositePrefix + out
	}
	return reply{data: out, timestamp: f.Modified}, nil
}

// changeFolder applies a change, or nothing of it.
func (rq *request) changeFolder(f *state.Folder, body folderChange) *failure {
	if body.Module != nil && *body.Module != f.Module && len(rq.who.pim.ByFolder[f.ID]) > 0 {
		return oxErr("FLD-0078", catInput, "The module of a folder that is not empty cannot be changed.")
	}
	parent, problem := rq.newParent(f, body)
	if problem != nil {
		return problem
	}
	title := f.Title
	if body.Title != nil {
		title = strings.TrimRight(*body.Title, " ")
	}
	if f.Standard && (title != f.Title || parent != f.Parent) {
		return oxErr("FLD-0071", catPermission, "A default folder cannot be renamed or moved.")
	}
	perms, problem := rq.newPermissions(f, body)
	if problem != nil {
		return problem
	}
	if title != f.Title || parent != f.Parent {
		if problem := rq.checkTitle(title, parent, f.ID); problem != nil {
			return problem
		}
	}
	if problem := rq.checkEntities(perms); problem != nil {
		return problem
	}
	if rq.params["cascadePermissions"] == "true" && body.Permissions != nil {
		if problem := rq.cascade(f, perms); problem != nil {
			return problem
		}
	}
	f.Title, f.Parent, f.Perms = title, parent, perms
	rq.who.pim.Kids = nil
	if body.Module != nil {
		f.Module = *body.Module
	}
	f.Modified, f.ModifiedBy = rq.who.pim.Tick(), rq.who.uid
	return nil
}

// cascade writes the permissions to all subfolders, or to none.
func (rq *request) cascade(f *state.Folder, perms []state.Permission) *failure {
	var below []*state.Folder
	var walk func(*state.Folder) *failure
	walk = func(p *state.Folder) *failure {
		for _, c := range rq.who.pim.Children(p.ID) {
			if rq.rights(c).admin == 0 {
				return oxErr("FLD-0010", catPermission, "You do not administer folder %d.", c.ID)
			}
			below = append(below, c)
			if problem := walk(c); problem != nil {
				return problem
			}
		}
		return nil
	}
	if problem := walk(f); problem != nil {
		return problem
	}
	for _, c := range below {
		c.Perms = slices.Clone(perms)
		c.Modified, c.ModifiedBy = rq.who.pim.Tick(), rq.who.uid
	}
	return nil
}

func foldersDelete(rq *request) (reply, *failure) {
	if problem := rq.checkTree(); problem != nil {
		return reply{}, problem
	}
	var ids []json.RawMessage
	if problem := rq.decode(&ids); problem != nil {
		return reply{}, problem
	}
	left := []string{}
	var first *failure
	for _, raw := range ids {
		s := strings.Trim(string(raw), `"`)
		if problem := rq.deleteFolder(s); problem != nil {
			if rq.params["failOnError"] == "true" {
				return reply{}, problem
			}
			left = append(left, s)
			if first == nil {
				w := *problem
				w.category = catWarning
				first = &w
			}
		}
	}
	return reply{data: left, warning: first, timestamp: rq.who.pim.Clock}, nil
}

func (rq *request) deleteFolder(s string) *failure {
	id, _, problem := rq.folderID(s)
	if problem != nil {
		return problem
	}
	f := rq.who.pim.Folders[id]
	switch {
	case f == nil:
		return oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	case rq.rights(f).admin == 0 && !rq.visible(f):
		return oxErr("FLD-0003", catPermission, "Folder %d is not visible to you in context %d.", id, rq.who.cid)
	case f.ID < 20:
		return oxErr("FLD-0081", catPermission, "System folder %d cannot be deleted.", id)
	case f.Standard:
		return oxErr("FLD-0031", catPermission, "Default folder %d cannot be deleted.", id)
	case rq.rights(f).admin == 0:
		return oxErr("FLD-0010", catPermission, "You do not administer folder %d.", id)
	}
	if problem := rq.folderConflict(f); problem != nil {
		return problem
	}
	if problem := rq.deletable(f); problem != nil {
		return problem
	}
	rq.who.pim.RemoveFolder(f)
	return nil
}

// deletable checks the contents of a folder and everything below.
func (rq *request) deletable(f *state.Folder) *failure {
	r := rq.rights(f)
	for _, c := range rq.who.pim.ByFolder[f.ID] {
		if r.del >= levelAll || (r.del == levelOwn && c.CreatedBy == rq.who.uid) {
			continue
		}
		return oxErr("FLD-0032", catPermission, "Folder %d holds objects you may not delete.", f.ID)
	}
	for _, c := range rq.who.pim.Children(f.ID) {
		if !rq.visible(c) || rq.rights(c).admin == 0 {
			return oxErr("FLD-0074", catPermission, "Folder %d has a hidden subfolder.", f.ID)
		}
		if problem := rq.deletable(c); problem != nil {
			return problem
		}
	}
	return nil
}
