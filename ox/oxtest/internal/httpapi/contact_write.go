package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// contactBody is a contact in a request, as far as it was sent.
type contactBody struct {
	set     map[string]string
	remove  []string
	folder  string
	isList  *bool
	members []state.Member
	hasList bool
}

// contactBody reads and checks the body of new and update.
func (rq *request) contactBody() (contactBody, *failure) {
	var all map[string]json.RawMessage
	if problem := rq.decode(&all); problem != nil {
		return contactBody{}, problem
	}
	b := contactBody{set: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		raw := all[name]
		switch name {
		case "folder_id":
			b.folder = strings.Trim(string(raw), `"`)
		case "mark_as_distributionlist":
			var v bool
			if json.Unmarshal(raw, &v) != nil {
				return b, badValue(name)
			}
			b.isList = &v
		case "distribution_list":
			b.hasList = true
			if problem := b.readMembers(raw); problem != nil {
				return b, problem
			}
		default:
			if !KnownField(name) {
				continue // OX ignores what it does not know
			}
			text, remove, problem := fieldFromJSON(name, raw)
			if problem != nil {
				return b, problem
			}
			if remove {
				b.remove = append(b.remove, name)
				continue
			}
			if problem := CheckField(name, text); problem != nil {
				return b, problem
			}
			b.set[name] = text
		}
	}
	return b, nil
}

func (b *contactBody) readMembers(raw json.RawMessage) *failure {
	var list []struct {
		ID          json.RawMessage `json:"id"`
		Folder      json.RawMessage `json:"folder_id"`
		DisplayName string          `json:"display_name"`
		Mail        string          `json:"mail"`
		MailField   int             `json:"mail_field"`
	}
	if string(raw) == "null" {
		return nil
	}
	if json.Unmarshal(raw, &list) != nil {
		return badValue("distribution_list")
	}
	for _, m := range list {
		id, _ := strconv.Atoi(strings.Trim(string(m.ID), `"`))
		folder, _ := strconv.Atoi(strings.TrimPrefix(strings.Trim(string(m.Folder), `"`), compositePrefix))
		switch {
		case m.MailField < 0 || m.MailField > 3:
			return badValue("mail_field")
		case m.MailField == 0 && m.Mail == "":
			return oxErr("CON-0177", catInput, "A member of the distribution list has no address.")
		case m.MailField > 0 && id == 0:
			return oxErr("CON-0178", catInput, "A member of the distribution list has no contact.")
		}
		n := state.Member{DisplayName: m.DisplayName, Mail: m.Mail, MailField: m.MailField}
		if m.MailField > 0 {
			n.ID, n.Folder = id, folder
		}
		b.members = append(b.members, n)
	}
	return nil
}

func contactsNew(rq *request) (reply, *failure) {
	b, problem := rq.contactBody()
	if problem != nil {
		return reply{}, problem
	}
	if b.folder == "" {
		return reply{}, missingField("folder_id")
	}
	f, problem := rq.contactFolder(b.folder)
	if problem != nil {
		return reply{}, problem
	}
	if rq.rights(f).folder < levelCreate || f.ID == state.FolderGAB {
		return reply{}, oxErr("CON-0112", catPermission,
			"You do not have the permission to create objects in folder %d.", f.ID)
	}
	if b.set["private_flag"] == "true" && f.Kind == state.TypePublic {
		return reply{}, oxErr("CON-0171", catInput, "A contact in a public folder cannot be private.")
	}
	isList := b.isList != nil && *b.isList
	if isList && b.set["display_name"] == "" {
		return reply{}, oxErr("CON-0166", catInput, "A display name is needed.")
	}
	if problem := rq.checkQuota(1); problem != nil {
		return reply{}, problem
	}
	c := rq.store(f, b.set)
	c.List = isList
	if isList {
		c.Members = b.members
	}
	return reply{data: map[string]any{"id": rq.contactID(c.ID)}, timestamp: c.Modified}, nil
}

// store adds a contact made by the caller.
func (rq *request) store(f *state.Folder, fields map[string]string) *state.Contact {
	c := rq.who.pim.AddContact(&state.Contact{Folder: f.ID, CreatedBy: rq.who.uid, Fields: fields})
	if c.Fields["uid"] == "" {
		c.Fields["uid"] = fmt.Sprintf("%08x-%04x-4000-8000-%012x", rq.who.cid, f.ID&0xffff, c.ID)
	}
	return c
}

func (rq *request) checkQuota(n int) *failure {
	used := len(rq.who.pim.Contacts) + rq.api.dir.userCount(rq.who.cid)
	if used+n > rq.api.Options.ContactQuota {
		return oxErr("QUOTA-0003", catInput, "The quota for contacts (%d) is used up.", rq.api.Options.ContactQuota)
	}
	return nil
}

// timestamp reads the parameter that every write of a contact needs.
func (rq *request) timestamp() (int64, *failure) {
	s := rq.params["timestamp"]
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		if f, ferr := strconv.ParseFloat(s, 64); ferr == nil && f >= 0 && f < math.MaxInt64 {
			return int64(f), nil // a number in a "multiple"
		}
		return 0, badValue("timestamp")
	}
	return n, nil
}

func newerThan(c *state.Contact, ts int64) *failure {
	if c.Modified <= ts {
		return nil
	}
	return oxErr("CON-0119", catConflict,
		"Edit conflict. Your change cannot be completed because somebody else has made a change to the same item.")
}

func contactsUpdate(rq *request) (reply, *failure) {
	folder, id := rq.params["folder"], rq.params["id"]
	if folder == "" {
		return reply{}, missingField("folder")
	}
	if id == "" {
		return reply{}, missingField("id")
	}
	ts, problem := rq.timestamp()
	if problem != nil {
		return reply{}, problem
	}
	b, problem := rq.contactBody()
	if problem != nil {
		return reply{}, problem
	}
	f, c, problem := rq.findContact(folder, id)
	if problem != nil {
		return reply{}, problem
	}
	r := rq.rights(f)
	if f.ID == state.FolderGAB || r.write < levelOwn || (r.write < levelAll && c.CreatedBy != rq.who.uid) {
		return reply{}, oxErr("CON-0176", catPermission,
			"You do not have the permission to change contact %d in folder %d.", c.ID, f.ID)
	}
	if problem := newerThan(c, ts); problem != nil {
		return reply{}, problem
	}
	if b.set["private_flag"] == "true" && f.Kind == state.TypePublic {
		return reply{}, oxErr("CON-0171", catInput, "A contact in a public folder cannot be private.")
	}
	target := f
	if b.folder != "" {
		if target, problem = rq.contactFolder(b.folder); problem != nil {
			return reply{}, problem
		}
		if target.ID != f.ID && (rq.rights(target).folder < levelCreate || target.ID == state.FolderGAB) {
			return reply{}, oxErr("CON-0112", catPermission,
				"You do not have the permission to create objects in folder %d.", target.ID)
		}
		if target.ID != f.ID && (r.del < levelOwn || (r.del < levelAll && c.CreatedBy != rq.who.uid)) {
			return reply{}, oxErr("CON-0169", catPermission,
				"You do not have the permission to delete contact %d from folder %d.", c.ID, f.ID)
		}
	}
	maps.Copy(c.Fields, b.set)
	for _, name := range b.remove {
		delete(c.Fields, name)
	}
	if b.isList != nil {
		c.List = *b.isList
	}
	if b.hasList {
		c.Members = b.members
	}
	rq.who.pim.Touch(c, rq.who.uid)
	if target.ID != f.ID {
		rq.who.pim.MoveContact(c, target.ID)
	}
	return reply{data: map[string]any{}, timestamp: c.Modified}, nil
}

// contactsDelete deletes all or nothing per folder; folders dealt with before
// one that fails stay changed.
func contactsDelete(rq *request) (reply, *failure) {
	ts, problem := rq.timestamp()
	if problem != nil {
		return reply{}, problem
	}
	refs, problem := rq.contactRefs()
	if problem != nil {
		return reply{}, problem
	}
	var order []string
	byFolder := map[string][]string{}
	for _, r := range refs {
		if byFolder[r[0]] == nil {
			order = append(order, r[0])
		}
		byFolder[r[0]] = append(byFolder[r[0]], r[1])
	}
	for _, folder := range order {
		var found []*state.Contact
		for _, id := range byFolder[folder] {
			f, c, problem := rq.findContact(folder, id)
			if problem != nil {
				return reply{}, problem
			}
			if f.ID == state.FolderGAB {
				return reply{}, oxErr("CON-0260", catPermission, "A user's contact cannot be deleted.")
			}
			if r := rq.rights(f); r.del < levelOwn || (r.del < levelAll && c.CreatedBy != rq.who.uid) {
				return reply{}, oxErr("CON-0169", catPermission,
					"You do not have the permission to delete contact %d from folder %d.", c.ID, f.ID)
			}
			if problem := newerThan(c, ts); problem != nil {
				return reply{}, problem
			}
			found = append(found, c)
		}
		for _, c := range found {
			if rq.who.pim.Contacts[c.ID] != nil {
				rq.who.pim.RemoveContact(c)
			}
		}
	}
	return reply{data: map[string]any{}, timestamp: ts}, nil
}
