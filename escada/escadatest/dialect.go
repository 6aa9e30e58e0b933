package escadatest

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// dialects write the files of the profiles that package escada brings along.
var dialects = map[string]func(*dialect){
	"escada2":       (*dialect).escada2,
	"ucsschool":     (*dialect).ucsschool,
	"oneroster-1.1": func(d *dialect) { d.oneRoster("1.1") },
	"oneroster-1.2": func(d *dialect) { d.oneRoster("1.2") },
	"sds-2.1":       (*dialect).sds,
	"ech-0260":      (*dialect).ech0260,
}

// ExportAs writes records in the dialect of a profile of [escada.Starters], in
// the public shape of that format. What a format has no place for is left out
// (languages, most dates); eCH-0260 has pupils only, with "BSB" before their schools,
// and the parts of a header that its own schema describes.
func ExportAs(starter string, records []schoolmail.Record) (Export, error) {
	write, ok := dialects[starter]
	if !ok {
		return nil, fmt.Errorf("escadatest: no dialect %q, expected one of %q", starter, slices.Sorted(maps.Keys(dialects)))
	}
	d := &dialect{records: records, out: Export{}}
	write(d)
	return d.out, d.err
}

type dialect struct {
	records []schoolmail.Record
	out     Export
	err     error
}

// csv writes a file of rows, the first of which is the header.
func (d *dialect) csv(name string, rows [][]string) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	d.err = cmp.Or(d.err, w.WriteAll(rows))
	d.out[name] = b.Bytes()
}

func (d *dialect) escada2() {
	var b bytes.Buffer
	d.err = escada.Write(&b, d.records, nil)
	d.out["export.csv"] = b.Bytes()
}

func (d *dialect) ucsschool() {
	files := map[schoolmail.Role]string{
		schoolmail.RolePupil: "schueler", schoolmail.RoleTeacher: "lehrer", schoolmail.RoleStaff: "mitarbeiter",
	}
	for role, name := range files {
		rows := [][]string{{"Schulen", "Vorname", "Nachname", "Klassen", "Mailadresse", "Telefonnumer"}}
		for _, r := range d.records {
			if r.Role != role {
				continue
			}
			var schools, classes []string
			for _, m := range r.Memberships {
				schools = append(schools, string(m.School))
				for _, c := range m.Classes {
					if len(r.Memberships) > 1 {
						c = string(m.School) + "-" + c
					}
					classes = append(classes, c)
				}
			}
			rows = append(rows, []string{
				strings.Join(schools, ","), r.GivenName, r.FamilyName, strings.Join(classes, ","),
				r.Key.ID + "@schulen.example", r.Phone,
			})
		}
		if len(rows) > 1 {
			d.csv(name+".csv", rows)
		}
	}
}

// grade is the grade of a class as OneRoster and School Data Sync write it.
func grade(class string) string {
	digits := strings.TrimRight(class, "abcdefghijklmnopqrstuvwxyz")
	if len(digits) == 1 {
		return "0" + digits
	}
	return digits
}

func grades(r schoolmail.Record) string {
	if r.Role != schoolmail.RolePupil || len(r.Memberships) == 0 || len(r.Memberships[0].Classes) == 0 {
		return ""
	}
	return grade(r.Memberships[0].Classes[0])
}

func classID(school schoolmail.SchoolID, class string) string {
	return "c-" + string(school) + "-" + class
}

// places lists schools and their classes.
func (d *dialect) places() map[schoolmail.SchoolID][]string {
	classes := map[schoolmail.SchoolID][]string{}
	for _, r := range d.records {
		for _, m := range r.Memberships {
			classes[m.School] = append(classes[m.School], m.Classes...)
		}
	}
	for school := range classes {
		slices.Sort(classes[school])
		classes[school] = slices.Compact(classes[school])
	}
	return classes
}

func (d *dialect) oneRoster(version string) {
	role := map[schoolmail.Role]string{
		schoolmail.RolePupil: "student", schoolmail.RoleTeacher: "teacher", schoolmail.RoleStaff: "administrator",
	}
	if version == "1.2" {
		role[schoolmail.RoleStaff] = "siteAdministrator"
	}
	files := []string{"academicSessions", "classes", "courses", "enrollments", "orgs", "users"}
	if version == "1.2" {
		files = append(files, "roles")
	}
	manifest := [][]string{{"propertyName", "value"}, {"manifest.version", "1.0"}, {"oneroster.version", version}}
	for _, f := range files {
		manifest = append(manifest, []string{"file." + f, "bulk"})
	}
	d.csv("manifest.csv", manifest)
	d.csv("academicSessions.csv", [][]string{
		{"sourcedId", "status", "dateLastModified", "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"},
		{"t1", "", "", "2026/27", "schoolYear", "2026-08-01", "2027-07-31", "", "2027"},
	})
	d.csv("courses.csv", [][]string{
		{"sourcedId", "status", "dateLastModified", "schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId",
			"subjects", "subjectCodes"},
		{"k1", "", "", "t1", "Klassenstunde", "", "", "district", "", ""},
	})
	orgs := [][]string{
		{"sourcedId", "status", "dateLastModified", "name", "type", "identifier", "parentSourcedId"},
		{"district", "", "", "Bezirk", "district", "", ""},
	}
	classes := [][]string{{"sourcedId", "status", "dateLastModified", "title", "grades", "courseSourcedId", "classCode",
		"classType", "location", "schoolSourcedId", "termSourcedIds", "subjects", "subjectCodes", "periods"}}
	places := d.places()
	for _, school := range slices.Sorted(maps.Keys(places)) {
		orgs = append(orgs, []string{string(school), "", "", "Schule " + string(school), "school", "", "district"})
		for _, c := range places[school] {
			classes = append(classes, []string{
				classID(school, c), "", "", c, grade(c), "k1", "", "homeroom", "", string(school), "t1", "", "", ""})
		}
		classes = append(classes, []string{
			"l-" + string(school), "", "", "Chor", "", "k1", "", "scheduled", "", string(school), "t1", "", "", ""})
	}
	d.csv("orgs.csv", orgs)
	d.csv("classes.csv", classes)
	if version == "1.1" {
		d.users11(role)
	} else {
		d.users12(role)
	}
	d.enrollments(role)
}

func (d *dialect) users11(role map[schoolmail.Role]string) {
	users := [][]string{{"sourcedId", "status", "dateLastModified", "enabledUser", "orgSourcedIds", "role", "username",
		"userIds",
		"givenName", "familyName", "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades",
		"password"}}
	for _, r := range d.records {
		var schools []string
		for _, m := range r.Memberships {
			schools = append(schools, string(m.School))
		}
		users = append(users, []string{
			r.Key.ID, "", "", "true", strings.Join(schools, ","), role[r.Role], "u" + r.Key.ID, "",
			r.GivenName, r.FamilyName, "", "", "", "", r.Phone, "", grades(r), ""})
	}
	// Somebody who is marked as deleted, and a parent.
	users = append(users,
		[]string{"gone", "tobedeleted", "", "true", "", "student", "gone", "", "Fort", "Weg", "", "", "", "", "", "", "01",
			""},
		[]string{"parent", "", "", "true", "", "parent", "parent", "", "Vater", "Einer", "", "", "", "", "", "", "", ""})
	d.csv("users.csv", users)
}

func (d *dialect) users12(role map[schoolmail.Role]string) {
	users := [][]string{{"sourcedId", "status", "dateLastModified", "enabledUser", "username", "userIds", "givenName",
		"familyName",
		"middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password", "userMasterIdentifier",
		"resourceSourcedIds", "preferredGivenName", "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId",
		"pronouns"}}
	roles := [][]string{{"sourcedId", "status", "dateLastModified", "userSourcedId", "roleType", "role", "beginDate",
		"endDate",
		"orgSourcedId", "userProfileSourcedId"}}
	for _, r := range d.records {
		row := make([]string, len(users[0]))
		row[0], row[3], row[4], row[6], row[7] = r.Key.ID, "true", "u"+r.Key.ID, r.GivenName, r.FamilyName
		row[12], row[14] = r.Phone, grades(r)
		users = append(users, row)
		for i, m := range r.Memberships {
			roles = append(roles, []string{
				fmt.Sprintf("r-%s-%d", r.Key.ID, i), "", "", r.Key.ID, "primary", role[r.Role], "", "", string(m.School), ""})
		}
	}
	disabled := make([]string, len(users[0]))
	disabled[0], disabled[3], disabled[4], disabled[6], disabled[7] = "gone", "false", "gone", "Fort", "Weg"
	users = append(users, disabled)
	roles = append(roles, []string{"r-gone", "", "", "gone", "primary", "student", "", "", "district", ""})
	d.csv("users.csv", users)
	d.csv("roles.csv", roles)
}

func (d *dialect) enrollments(role map[schoolmail.Role]string) {
	role = maps.Clone(role)
	role[schoolmail.RoleStaff] = "administrator" // in both versions
	rows := [][]string{{"sourcedId", "status", "dateLastModified", "classSourcedId", "schoolSourcedId", "userSourcedId",
		"role",
		"primary", "beginDate", "endDate"}}
	add := func(id, class, school, user, role string) {
		rows = append(rows, []string{id, "", "", class, school, user, role, "", "", ""})
	}
	for _, r := range d.records {
		for i, m := range r.Memberships {
			for j, c := range m.Classes {
				add(fmt.Sprintf("e-%s-%d-%d", r.Key.ID, i, j), classID(m.School, c), string(m.School), r.Key.ID, role[r.Role])
			}
			if r.Role == schoolmail.RolePupil {
				add(fmt.Sprintf("l-%s-%d", r.Key.ID, i), "l-"+string(m.School), string(m.School), r.Key.ID, role[r.Role])
			}
		}
	}
	d.csv("enrollments.csv", rows)
}

func (d *dialect) sds() {
	role := map[schoolmail.Role]string{
		schoolmail.RolePupil: "student", schoolmail.RoleTeacher: "teacher", schoolmail.RoleStaff: "officeStaff",
	}
	orgs := [][]string{{"sourcedId", "name", "type", "parentSourcedId"}}
	classes := [][]string{{"sourcedId", "orgSourcedId", "title", "sessionSourcedIds", "courseSourcedId", "code"}}
	places := d.places()
	for _, school := range slices.Sorted(maps.Keys(places)) {
		orgs = append(orgs, []string{string(school), "Schule " + string(school), "school", ""})
		for _, c := range places[school] {
			classes = append(classes, []string{classID(school, c), string(school), c, "", "", ""})
		}
	}
	users := [][]string{{"sourcedId", "username", "givenName", "familyName", "password", "activeDirectoryMatchId",
		"email", "phone",
		"sms"}}
	roles := [][]string{{"userSourcedId", "orgSourcedId", "role", "sessionSourcedId", "grade", "isPrimary",
		"roleStartDate",
		"roleEndDate"}}
	enrollments := [][]string{{"classSourcedId", "userSourcedId", "role"}}
	for _, r := range d.records {
		users = append(users, []string{r.Key.ID, "u" + r.Key.ID + "@schulen.example", r.GivenName, r.FamilyName, "", "", "",
			r.Phone, ""})
		for i, m := range r.Memberships {
			roles = append(roles, []string{
				r.Key.ID, string(m.School), role[r.Role], "", grades(r), fmt.Sprint(i == 0), "", ""})
			for _, c := range m.Classes {
				enrollments = append(enrollments, []string{classID(m.School, c), r.Key.ID, role[r.Role]})
			}
		}
	}
	d.csv("orgs.csv", orgs)
	d.csv("users.csv", users)
	d.csv("roles.csv", roles)
	d.csv("classes.csv", classes)
	d.csv("enrollments.csv", enrollments)
}

func (d *dialect) ech0260() {
	var b bytes.Buffer
	text := func(s string) string {
		var e bytes.Buffer
		d.err = cmp.Or(d.err, xml.EscapeText(&e, []byte(s)))
		return e.String()
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<message xmlns="https://github.com/datenmanagement-sdbb/eCH-0260/blob/main/messageSchema/2113/2"` +
		` xmlns:e="http://www.ech.ch/xmlns/eCH-0260/2" xmlns:p="http://www.ech.ch/xmlns/eCH-0044/4"` +
		` xmlns:m="http://www.ech.ch/xmlns/eCH-0058/5" minorVersion="1">
  <header>
    <senderId>sedex://T0-4-1</senderId>
    <recipientId>sedex://T0-4-2</recipientId>
    <messageId>1</messageId>
    <businessProcessId>1</businessProcessId>
    <messageType>2113</messageType>
    <subMessageType>BBSMT001</subMessageType>
    <sendingApplication><m:manufacturer>schoolmail</m:manufacturer><m:product>escadatest</m:product>` +
		`<m:productVersion>1</m:productVersion></sendingApplication>
    <subject>Schulbesuch</subject>
    <messageDate>2026-11-20T06:00:00</messageDate>
    <action>1</action>
    <testDeliveryFlag>true</testDeliveryFlag>
    <responseExpected>false</responseExpected>
    <businessCaseClosed>true</businessCaseClosed>
  </header>
  <content>
`)
	for i, r := range d.records {
		if r.Role != schoolmail.RolePupil {
			continue
		}
		for _, m := range r.Memberships {
			for _, class := range m.Classes {
				fmt.Fprintf(&b, `    <schoolAttendance>
      <e:educationRelationId>BVXBE%09d</e:educationRelationId>
      <e:schoolCanton>BE</e:schoolCanton>
      <e:personIdentification>
        <p:localPersonId><p:personIdCategory>LOC</p:personIdCategory><p:personId>%s</p:personId></p:localPersonId>
        <p:officialName>%s</p:officialName>
        <p:firstName>%s</p:firstName>
        <p:sex>3</p:sex>
        <p:dateOfBirth><p:yearMonthDay>%d-01-15</p:yearMonthDay></p:dateOfBirth>
      </e:personIdentification>
      <e:schoolId>%s</e:schoolId>
      <e:schoolYearDetails><e:schoolYear>2026/2027</e:schoolYear><e:schoolTerm>0</e:schoolTerm>`+
					`<e:schoolHalfDays>11111111110000</e:schoolHalfDays><e:className>%s</e:className></e:schoolYearDetails>
    </schoolAttendance>
`, i+1, text(r.Key.ID), text(r.FamilyName), text(r.GivenName), 2005+i%5, text("BSB"+string(m.School)), text(class))
			}
		}
	}
	b.WriteString("  </content>\n</message>\n")
	d.out["message.xml"] = b.Bytes()
}
