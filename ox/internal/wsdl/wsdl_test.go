package wsdl_test

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/wsdlfix/wsdldoc"
	"github.com/ictmedia/schoolmail/ox/internal/wsdl"
)

const wrapperSpace = "http://soap.admin.openexchange.com"

// deliberate lists what our documents have otherwise than a server's, by
// service and name. Layout, prefixes, message names and the address differ too,
// and the schema of credentials says elementFormDefault once instead of
// form="qualified" on each element; none of that is compared.
var deliberate = map[string]map[xml.Name]string{
	"OXSecondaryAccountService": {
		{Space: "http://dataobjects.soap.admin.openexchange.com/xsd",
			Local: "AccountData"}: "declared by the server, used by no operation",
	},
	"OXUserService": {
		// Elements whose type the server names like the element, or Wrapper; ours is
		// anonymous, with the same fields, so that gowsdl has no two types of one name.
		{Space: wrapperSpace, Local: "DatabaseUpdateExceptionWrapper"}:         "anonymous in ours",
		{Space: wrapperSpace, Local: "getUserCapabilitiesResponse"}:            "anonymous in ours",
		{Space: wrapperSpace, Local: "moveFromContextToUserFilestoreResponse"}: "anonymous in ours",
		{Space: wrapperSpace, Local: "moveFromMasterToUserFilestoreResponse"}:  "anonymous in ours",
		{Space: wrapperSpace, Local: "moveFromUserFilestoreToMasterResponse"}:  "anonymous in ours",
		{Space: wrapperSpace, Local: "moveFromUserToContextFilestoreResponse"}: "anonymous in ours",
		{Space: wrapperSpace, Local: "moveUserFilestoreResponse"}:              "anonymous in ours",
	},
}

// neverNil are fields that a server declares nillable although what they come
// from is a primitive of Java, which has no null. Ours are not nillable.
var neverNil = map[string]map[xml.Name]string{
	"OXContextService": {{Space: "http://dataobjects.rmi.admin.openexchange.com/xsd", Local: "Quota"}: "limit"},
}

func parse(t *testing.T, data []byte) *wsdldoc.Document {
	t.Helper()
	d, err := wsdldoc.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(d.Schemas)
	slices.SortFunc(d.Operations, func(a, b wsdldoc.Operation) int { return cmpString(a.Name, b.Name) })
	for _, o := range d.Operations {
		slices.SortFunc(o.Faults, func(a, b wsdldoc.Fault) int { return cmpString(a.Element.Local, b.Element.Local) })
	}
	// What counts of an element is its fields, whether their type has a name or not.
	for _, e := range d.Elements {
		e.Type = xml.Name{}
	}
	return d
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestEquivalence compares our documents with those that a server published:
// SCHOOLMAIL_OX_WSDL names a folder with files like OXUserService.wsdl.
func TestEquivalence(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SCHOOLMAIL_OX_WSDL")
	if dir == "" {
		lacking.SkipAnyway(t, "SCHOOLMAIL_OX_WSDL, a folder with a server's WSDL files")
	}
	for _, name := range wsdl.Services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join(dir, name+".wsdl"))
			if err != nil {
				t.Fatal(err)
			}
			theirs := parse(t, data)
			doc, err := wsdl.Document(name)
			if err != nil {
				t.Fatal(err)
			}
			ours := parse(t, doc)
			for n, why := range deliberate[name] {
				if theirs.Types[n] == nil || ours.Types[n] != nil {
					t.Errorf("%s is listed as a difference (%s) but is none", n.Local, why)
				}
				delete(theirs.Types, n)
			}
			for n, field := range neverNil[name] {
				i := slices.IndexFunc(theirs.Types[n].Fields, func(f wsdldoc.Field) bool { return f.Name.Local == field })
				if i < 0 || !theirs.Types[n].Fields[i].Nillable {
					t.Errorf("%s.%s is listed as a difference but is none", n.Local, field)
					continue
				}
				theirs.Types[n].Fields[i].Nillable = false
			}
			if diff := cmp.Diff(theirs, ours, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("server's (-) and ours (+):\n%s", diff)
			}
		})
	}
}

// TestDocuments checks what can be checked without a server: every document
// reads, and says of itself what the reference says of the service.
func TestDocuments(t *testing.T) {
	t.Parallel()
	operations := map[string]int{"OXContextService": 32, "OXUserService": 27, "OXGroupService": 13, "OXResourceService": 7,
		"OXUtilService": 22, "OXTaskMgmtService": 4, "OXSecondaryAccountService": 4, "OXUserCopyService": 1}
	userFields := map[string]int{"OXContextService": 128, "OXUserService": 137, "OXGroupService": 128,
		"OXUserCopyService": 128, "OXSecondaryAccountService": 1}
	for _, name := range wsdl.Services {
		doc, err := wsdl.Document(name)
		if err != nil {
			t.Fatal(err)
		}
		d := parse(t, doc)
		space := wrapperSpace
		if name == "OXUserCopyService" {
			space = "http://soap.copy.user.admin.openexchange.com"
		}
		if d.Service != name || d.TargetNamespace != space || d.PortType != name+"PortType" ||
			d.Binding != name+"SoapBinding" {
			t.Errorf("%s describes %s in %s", name, d.Service, d.TargetNamespace)
		}
		if len(d.Operations) != operations[name] {
			t.Errorf("%s has %d operations, want %d", name, len(d.Operations), operations[name])
		}
		for _, o := range d.Operations {
			if o.Action != "urn:"+o.Name || o.Input != (xml.Name{Space: space, Local: o.Name}) {
				t.Errorf("%s.%s: action %q, request %v", name, o.Name, o.Action, o.Input)
			}
		}
		user := d.Types[xml.Name{Space: "http://dataobjects.soap.admin.openexchange.com/xsd", Local: "User"}]
		if want := userFields[name]; want > 0 && (user == nil || len(user.Fields) != want) {
			t.Errorf("%s: User has not %d fields", name, want)
		}
	}
	if _, err := wsdl.Document("OXNothing"); err == nil {
		t.Error("a document for an unknown service")
	}
}
