package oxtest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
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

func (rq *httpRequest) folderBody() (folderChange, *httpError) {
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
func (rq *httpRequest) permissions(b folderChange) ([]simPerm, *httpError) {
	var out []simPerm
	for _, p := range *b.Permissions {
		if p.Entity == nil || p.Group == nil || p.Bits == nil {
			return nil, oxErr("FLD-1019", catInput, "Missing parameter in a permission.")
		}
		bits, problem := checkLevels(*p.Bits)
		if problem != nil {
			return nil, problem
		}
		out = append(out, simPerm{*p.Entity, *p.Group, bits})
	}
	return out, nil
}

// checkEntities looks for repeated and unknown entities.
func (rq *httpRequest) checkEntities(perms []simPerm) *httpError {
	seen := map[simPerm]bool{}
	for _, p := range perms {
		key := simPerm{p.entity, p.group, 0}
		if seen[key] {
			if p.group {
				return oxErr("FLD-0080", catInput, "Duplicate permission for group %d.", p.entity)
			}
			return oxErr("FLD-0079", catInput, "Duplicate permission for user %d.", p.entity)
		}
		seen[key] = true
	}
	groups := rq.api.dir.httpGroups(rq.who.cid)
	for _, p := range perms {
		if !p.group {
			if _, ok := rq.api.dir.httpUser(rq.who.cid, p.entity); !ok {
				return oxErr("USR-0010", catInput, "Cannot find user with identifier %d in context %d.", p.entity, rq.who.cid)
			}
			continue
		}
		if p.entity != 0 && p.entity != 2147483647 && !slices.ContainsFunc(groups,
			func(g httpGroup) bool { return g.id == p.entity }) {
			return oxErr("FLD-0044", catInput, "Unknown entity %d in the permissions.", p.entity)
		}
	}
	return nil
}

// reservedTitles are folder names that OX keeps for itself.
var reservedTitles = []string{"Contacts", "Kontakte", "Global address book", "Globales Adressbuch", "All users",
	"Alle Benutzer",
	"Calendar", "Kalender", "Tasks", "Aufgaben", "Collected addresses", "Gesammelte Adressen"}

// checkTitle checks a title below a parent; except is the folder being renamed.
func (rq *httpRequest) checkTitle(title string, parent int, except int) *httpError {
	if slices.Contains(reservedTitles, title) {
		return oxErr("FLD-1033", catInput, "The folder name %q is reserved.", title)
	}
	for _, c := range rq.who.pim.children(parent) {
		if c.id == except || (parent == folderPrivate && c.createdBy != rq.who.uid) {
			continue
		}
		if c.title == title {
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
func (rq *httpRequest) checkAdmins(perms []simPerm, kind, owner int) ([]simPerm, *httpError) {
	if kind == typePrivate {
		admins := 0
		for _, p := range perms {
			if unpack(p.bits).admin == 0 {
				continue
			}
			admins++
			switch {
			case p.group:
				return nil, oxErr("FLD-0017", catInput, "A group cannot administer a private folder.")
			case p.entity != owner:
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
		if !p.group && p.entity == owner {
			if unpack(p.bits).admin == 0 && !slices.ContainsFunc(perms,
				func(q simPerm) bool { return unpack(q.bits).admin > 0 }) {
				perms[i].bits |= bitsAdmin
			}
			return perms, nil
		}
	}
	return append(perms, simPerm{owner, false, bitsAdmin}), nil
}

func foldersNew(rq *httpRequest) (httpReply, *httpError) {
	if problem := rq.checkTree(); problem != nil {
		return httpReply{}, problem
	}
	parentID := rq.params["folder_id"]
	if parentID == "" {
		parentID = rq.params["folder"]
	}
	if parentID == "" {
		return httpReply{}, missingParameter("folder_id")
	}
	body, problem := rq.folderBody()
	if problem != nil {
		return httpReply{}, problem
	}
	if body.Title == nil || strings.TrimSpace(*body.Title) == "" {
		return httpReply{}, oxErr("FLD-0007", catInput, "Missing folder attribute: title")
	}
	module := "contacts"
	if body.Module != nil {
		module = *body.Module
	}
	id, _, problem := rq.folderID(parentID)
	if problem != nil {
		return httpReply{}, problem
	}
	parent := rq.who.pim.folders[id]
	noSubfolders := oxErr("FLD-0006", catPermission, "You may not create subfolders below folder %d.", id)
	if parent == nil {
		return httpReply{}, oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	}
	if !rq.visible(parent) || rq.rights(parent).folder < levelSubfolder {
		return httpReply{}, noSubfolders
	}
	switch module {
	case "contacts":
		if !rq.who.user.contacts {
			return httpReply{}, oxErr("FLD-0002", catPermission, "No access to the module contacts.")
		}
	case "calendar":
		if !rq.who.user.calendar {
			return httpReply{}, oxErr("FLD-0002", catPermission, "No access to the module calendar.")
		}
	case "tasks":
	default:
		return httpReply{}, oxErr("FLD-0014", catInput, "Module %q is not possible below folder %d.", module, id)
	}
	kind := typePublic
	if parent.id == folderPrivate || parent.kind == typePrivate {
		kind = typePrivate
	}
	if kind == typePublic && !rq.who.user.editPublicFolders {
		return httpReply{}, oxErr("FLD-0005", catPermission, "You may not write to public folders.")
	}
	perms := []simPerm{{rq.who.uid, false, bitsOwner}}
	if body.Permissions != nil {
		if perms, problem = rq.permissions(body); problem != nil {
			return httpReply{}, problem
		}
		if perms, problem = rq.checkAdmins(perms, kind, rq.who.uid); problem != nil {
			return httpReply{}, problem
		}
	}
	title := strings.TrimRight(*body.Title, " ")
	if problem := rq.checkTitle(title, parent.id, -1); problem != nil {
		return httpReply{}, problem
	}
	if problem := rq.checkEntities(perms); problem != nil {
		return httpReply{}, problem
	}
	f := rq.who.pim.addFolder(&simFolder{parent: parent.id, title: title, module: module, kind: kind, perms: perms,
		createdBy: rq.who.uid})
	return httpReply{data: strconv.Itoa(f.id), timestamp: f.modified}, nil
}

func (rq *httpRequest) folderConflict(f *simFolder) *httpError {
	ts, ok := rq.params["timestamp"]
	if !ok || ts == "" || ts == "null" {
		return nil
	}
	n, err := strconv.ParseInt(ts, 10, 64)
	if err != nil {
		return badValue("timestamp")
	}
	if f.modified > n {
		return oxErr("FLD-1022", catConflict, "The folder %d was changed meanwhile.", f.id)
	}
	return nil
}

// folderToChange finds the folder that the parameter id names and checks what may be
// changed of it at all.
func (rq *httpRequest) folderToChange(id string) (f *simFolder, composite bool, problem *httpError) {
	f, composite, problem = rq.folder(id)
	if problem != nil {
		// The creator may have been left with the admin bit alone, which
		// suffices to change the folder.
		n, _, bad := rq.folderID(id)
		if bad != nil {
			return nil, false, bad
		}
		if f = rq.who.pim.folders[n]; f == nil || rq.rights(f).admin == 0 {
			return nil, false, problem
		}
	}
	switch {
	case rq.rights(f).admin == 0:
		return nil, false, oxErr("FLD-0010", catPermission, "You do not administer folder %d.", f.id)
	case f.id < 20:
		return nil, false, oxErr("FLD-0081", catPermission, "System folder %d cannot be changed so.", f.id)
	case f.kind == typePublic && !rq.who.user.editPublicFolders:
		return nil, false, oxErr("FLD-0005", catPermission, "You may not write to public folders.")
	}
	return f, composite, rq.folderConflict(f)
}

// newParent is the folder that a change moves f below; its present one if it does not.
func (rq *httpRequest) newParent(f *simFolder, body folderChange) (int, *httpError) {
	if len(body.Parent) == 0 || string(body.Parent) == "null" {
		return f.parent, nil
	}
	n, _, problem := rq.folderID(strings.Trim(string(body.Parent), `"`))
	if problem != nil || n == f.parent {
		return n, problem
	}
	p := rq.who.pim.folders[n]
	if p == nil || rq.rights(p).folder < levelSubfolder {
		return 0, oxErr("FLD-0006", catPermission, "You may not create subfolders below folder %d.", n)
	}
	for q := p; q != nil; q = rq.who.pim.folders[q.parent] {
		if q.id == f.id {
			return 0, oxErr("FLD-0014", catInput, "A folder cannot be moved below itself.")
		}
	}
	return n, nil
}

// newPermissions are those that a change gives f; its present ones if it does not.
func (rq *httpRequest) newPermissions(f *simFolder, body folderChange) ([]simPerm, *httpError) {
	if body.Permissions == nil {
		return f.perms, nil
	}
	perms, problem := rq.permissions(body)
	if problem != nil {
		return nil, problem
	}
	return rq.checkAdmins(perms, f.kind, f.createdBy)
}

func foldersUpdate(rq *httpRequest) (httpReply, *httpError) {
	if problem := rq.checkTree(); problem != nil {
		return httpReply{}, problem
	}
	id, problem := rq.need("id")
	if problem != nil {
		return httpReply{}, problem
	}
	body, problem := rq.folderBody()
	if problem != nil {
		return httpReply{}, problem
	}
	f, composite, problem := rq.folderToChange(id)
	if problem != nil {
		return httpReply{}, problem
	}
	if problem := rq.changeFolder(f, body); problem != nil {
		return httpReply{}, problem
	}
	out := strconv.Itoa(f.id)
	if composite {
		out = compositePrefix + out
	}
	return httpReply{data: out, timestamp: f.modified}, nil
}

// changeFolder applies a change, or nothing of it.
func (rq *httpRequest) changeFolder(f *simFolder, body folderChange) *httpError {
	if body.Module != nil && *body.Module != f.module && len(rq.who.pim.byFolder[f.id]) > 0 {
		return oxErr("FLD-0078", catInput, "The module of a folder that is not empty cannot be changed.")
	}
	parent, problem := rq.newParent(f, body)
	if problem != nil {
		return problem
	}
	title := f.title
	if body.Title != nil {
		title = strings.TrimRight(*body.Title, " ")
	}
	if f.standard && (title != f.title || parent != f.parent) {
		return oxErr("FLD-0071", catPermission, "A default folder cannot be renamed or moved.")
	}
	perms, problem := rq.newPermissions(f, body)
	if problem != nil {
		return problem
	}
	if title != f.title || parent != f.parent {
		if problem := rq.checkTitle(title, parent, f.id); problem != nil {
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
	f.title, f.parent, f.perms = title, parent, perms
	rq.who.pim.kids = nil
	if body.Module != nil {
		f.module = *body.Module
	}
	f.modified, f.modifiedBy = rq.who.pim.tick(), rq.who.uid
	return nil
}

// cascade writes the permissions to all subfolders, or to none.
func (rq *httpRequest) cascade(f *simFolder, perms []simPerm) *httpError {
	var below []*simFolder
	var walk func(*simFolder) *httpError
	walk = func(p *simFolder) *httpError {
		for _, c := range rq.who.pim.children(p.id) {
			if rq.rights(c).admin == 0 {
				return oxErr("FLD-0010", catPermission, "You do not administer folder %d.", c.id)
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
		c.perms = slices.Clone(perms)
		c.modified, c.modifiedBy = rq.who.pim.tick(), rq.who.uid
	}
	return nil
}

func foldersDelete(rq *httpRequest) (httpReply, *httpError) {
	if problem := rq.checkTree(); problem != nil {
		return httpReply{}, problem
	}
	var ids []json.RawMessage
	if problem := rq.decode(&ids); problem != nil {
		return httpReply{}, problem
	}
	left := []string{}
	var first *httpError
	for _, raw := range ids {
		s := strings.Trim(string(raw), `"`)
		if problem := rq.deleteFolder(s); problem != nil {
			if rq.params["failOnError"] == "true" {
				return httpReply{}, problem
			}
			left = append(left, s)
			if first == nil {
				w := *problem
				w.category = catWarning
				first = &w
			}
		}
	}
	return httpReply{data: left, warning: first, timestamp: rq.who.pim.clock}, nil
}

func (rq *httpRequest) deleteFolder(s string) *httpError {
	id, _, problem := rq.folderID(s)
	if problem != nil {
		return problem
	}
	f := rq.who.pim.folders[id]
	switch {
	case f == nil:
		return oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	case rq.rights(f).admin == 0 && !rq.visible(f):
		return oxErr("FLD-0003", catPermission, "Folder %d is not visible to you in context %d.", id, rq.who.cid)
	case f.id < 20:
		return oxErr("FLD-0081", catPermission, "System folder %d cannot be deleted.", id)
	case f.standard:
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
	rq.who.pim.removeFolder(f)
	return nil
}

// deletable checks the contents of a folder and everything below.
func (rq *httpRequest) deletable(f *simFolder) *httpError {
	r := rq.rights(f)
	for _, c := range rq.who.pim.byFolder[f.id] {
		if r.del >= levelAll || (r.del == levelOwn && c.createdBy == rq.who.uid) {
			continue
		}
		return oxErr("FLD-0032", catPermission, "Folder %d holds objects you may not delete.", f.id)
	}
	for _, c := range rq.who.pim.children(f.id) {
		if !rq.visible(c) || rq.rights(c).admin == 0 {
			return oxErr("FLD-0074", catPermission, "Folder %d has a hidden subfolder.", f.id)
		}
		if problem := rq.deletable(c); problem != nil {
			return problem
		}
	}
	return nil
}
