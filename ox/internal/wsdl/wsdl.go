// Package wsdl holds the WSDL documents of the OX provisioning services. They
// are this project's own: written from the documented SOAP API of OX App Suite
// 8.19, because OX has no such files in its sources but makes them at run time
// from annotated classes.
//
// The packages beside this one are generated from them; see gen.go. The
// simulator publishes them at ?wsdl.
//
// What several services declare alike is in oxdata, once: Credentials (all eight
// services), Database (seven), Context, Entry, SOAPMapEntry, SOAPStringMap and
// SOAPStringMapMap (six), Group (four), User and Filestore (three), UserModuleAccess
// (two). The namespaces of their elements are the same in every service, so one struct
// serves them all. What is left twice differs on the wire: OXUserService's User has
// nine elements that the other services refuse; Context, Group and User of
// OXSecondaryAccountService have nothing but an id, and refuse the rest. The wrapper
// elements of operations (create, change, list ...) carry each service's own
// parameters, whatever they have in common by name.
package wsdl

import (
	"embed"
	"fmt"
)

//go:embed *.wsdl
var files embed.FS

// Services lists the names of the services that have a document.
var Services = []string{
	"OXContextService",
	"OXGroupService",
	"OXResourceService",
	"OXSecondaryAccountService",
	"OXTaskMgmtService",
	"OXUserCopyService",
	"OXUserService",
	"OXUtilService",
}

// Document returns the WSDL of a service.
func Document(service string) ([]byte, error) {
	b, err := files.ReadFile(service + ".wsdl")
	if err != nil {
		return nil, fmt.Errorf("wsdl: no document for service %q", service)
	}
	return b, nil
}
