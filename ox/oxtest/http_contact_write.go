package oxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// contactBody is a contact in a request, as far as it was sent.
type contactBody struct {
	set     map[string]string
	remove  []string
	folder  string
	isList  *bool
	members []simMember
	hasList bool
}

// contactBody reads and checks the body of new and update.
func (rq *httpRequest) contactBody() (contactBody, *httpError) {
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
			if !knownField(name) {
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
			if problem := checkField(name, text); problem != nil {
				return b, problem
			}
			b.set[name] = text
		}
	}
	return b, nil
}

func (b *contactBody) readMembers(raw json.RawMessage) *httpError {
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
		n := simMember{displayName: m.DisplayName, mail: m.Mail, mailField: m.MailField}
		if m.MailField > 0 {
			n.id, n.folder = id, folder
		}
		b.members = append(b.members, n)
	}
	return nil
}

func contactsNew(rq *httpRequest) (httpReply, *httpError) {
	b, problem := rq.contactBody()
	if problem != nil {
		return httpReply{}, problem
	}
	if b.folder == "" {
		return httpReply{}, missingField("folder_id")
	}
	f, problem := rq.contactFolder(b.folder)
	if problem != nil {
		return httpReply{}, problem
	}
	if rq.rights(f).folder < levelCreate || f.id == folderGAB {
		return httpReply{}, oxErr("CON-0112", catPermission,
			"You do not have the permission to create objects in folder %d.", f.id)
	}
	if b.set["private_flag"] == "true" && f.kind == typePublic {
		return httpReply{}, oxErr("CON-0171", catInput, "A contact in a public folder cannot be private.")
	}
	isList := b.isList != nil && *b.isList
	if isList && b.set["display_name"] == "" {
		return httpReply{}, oxErr("CON-0166", catInput, "A display name is needed.")
	}
	if problem := rq.checkQuota(1); problem != nil {
		return httpReply{}, problem
	}
	c := rq.store(f, b.set)
	c.list = isList
	if isList {
		c.members = b.members
	}
	return httpReply{data: map[string]any{"id": rq.contactID(c.id)}, timestamp: c.modified}, nil
}

// store adds a contact made by the caller.
func (rq *httpRequest) store(f *simFolder, fields map[string]string) *simContact {
	c := rq.who.pim.addContact(&simContact{folder: f.id, createdBy: rq.who.uid, fields: fields})
	if c.fields["uid"] == "" {
		c.fields["uid"] = fmt.Sprintf("%08x-%04x-4000-8000-%012x", rq.who.cid, f.id&0xffff, c.id)
	}
	return c
}

func (rq *httpRequest) checkQuota(n int) *httpError {
	used := len(rq.who.pim.contacts) + rq.api.dir.httpUserCount(rq.who.cid)
	if used+n > rq.api.opts.ContactQuota {
		return oxErr("QUOTA-0003", catInput, "The quota for contacts (%d) is used up.", rq.api.opts.ContactQuota)
	}
	return nil
}

// timestamp reads the parameter that every write of a contact needs.
func (rq *httpRequest) timestamp() (int64, *httpError) {
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

func newerThan(c *simContact, ts int64) *httpError {
	if c.modified <= ts {
		return nil
	}
	return oxErr("CON-0119", catConflict,
		"Edit conflict. Your change cannot be completed because somebody else has made a change to the same item.")
}

func contactsUpdate(rq *httpRequest) (httpReply, *httpError) {
	folder, id := rq.params["folder"], rq.params["id"]
	if folder == "" {
		return httpReply{}, missingField("folder")
	}
	if id == "" {
		return httpReply{}, missingField("id")
	}
	ts, problem := rq.timestamp()
	if problem != nil {
		return httpReply{}, problem
	}
	b, problem := rq.contactBody()
	if problem != nil {
		return httpReply{}, problem
	}
	f, c, problem := rq.findContact(folder, id)
	if problem != nil {
		return httpReply{}, problem
	}
	r := rq.rights(f)
	if f.id == folderGAB || r.write < levelOwn || (r.write < levelAll && c.createdBy != rq.who.uid) {
		return httpReply{}, oxErr("CON-0176", catPermission,
			"You do not have the permission to change contact %d in folder %d.", c.id, f.id)
	}
	if problem := newerThan(c, ts); problem != nil {
		return httpReply{}, problem
	}
	if b.set["private_flag"] == "true" && f.kind == typePublic {
		return httpReply{}, oxErr("CON-0171", catInput, "A contact in a public folder cannot be private.")
	}
	target := f
	if b.folder != "" {
		if target, problem = rq.contactFolder(b.folder); problem != nil {
			return httpReply{}, problem
		}
		if target.id != f.id && (rq.rights(target).folder < levelCreate || target.id == folderGAB) {
			return httpReply{}, oxErr("CON-0112", catPermission,
				"You do not have the permission to create objects in folder %d.", target.id)
		}
		if target.id != f.id && (r.del < levelOwn || (r.del < levelAll && c.createdBy != rq.who.uid)) {
			return httpReply{}, oxErr("CON-0169", catPermission,
				"You do not have the permission to delete contact %d from folder %d.", c.id, f.id)
		}
	}
	maps.Copy(c.fields, b.set)
	for _, name := range b.remove {
		delete(c.fields, name)
	}
	if b.isList != nil {
		c.list = *b.isList
	}
	if b.hasList {
		c.members = b.members
	}
	rq.who.pim.touch(c, rq.who.uid)
	if target.id != f.id {
		rq.who.pim.moveContact(c, target.id)
	}
	return httpReply{data: map[string]any{}, timestamp: c.modified}, nil
}

// contactsDelete deletes all or nothing per folder; folders dealt with before
// one that fails stay changed.
func contactsDelete(rq *httpRequest) (httpReply, *httpError) {
	ts, problem := rq.timestamp()
	if problem != nil {
		return httpReply{}, problem
	}
	refs, problem := rq.contactRefs()
	if problem != nil {
		return httpReply{}, problem
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
		var found []*simContact
		for _, id := range byFolder[folder] {
			f, c, problem := rq.findContact(folder, id)
			if problem != nil {
				return httpReply{}, problem
			}
			if f.id == folderGAB {
				return httpReply{}, oxErr("CON-0260", catPermission, "A user's contact cannot be deleted.")
			}
			if r := rq.rights(f); r.del < levelOwn || (r.del < levelAll && c.createdBy != rq.who.uid) {
				return httpReply{}, oxErr("CON-0169", catPermission,
					"You do not have the permission to delete contact %d from folder %d.", c.id, f.id)
			}
			if problem := newerThan(c, ts); problem != nil {
				return httpReply{}, problem
			}
			found = append(found, c)
		}
		for _, c := range found {
			if rq.who.pim.contacts[c.id] != nil {
				rq.who.pim.removeContact(c)
			}
		}
	}
	return httpReply{data: map[string]any{}, timestamp: ts}, nil
}
