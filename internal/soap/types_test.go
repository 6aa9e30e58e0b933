package soap

import (
	"encoding/xml"

	"github.com/ictmedia/schoolmail/internal/xsd"
)

// A service in the shape that wsdlfix generates.

type user struct {
	Alias  []string   `xml:"urn:d alias,omitempty" soap:"nillable"`
	Day    *xsd.Date  `xml:"urn:d day,omitempty" soap:"nillable"`
	Id     *int32     `xml:"urn:d id,omitempty" soap:"nillable"`
	Name   *string    `xml:"urn:d name,omitempty" soap:"nillable"`
	On     *bool      `xml:"urn:d on,omitempty"`
	Quota  *int64     `xml:"urn:d quota,omitempty" soap:"nillable"`
	Image  xsd.Base64 `xml:"urn:d image,omitempty" soap:"nillable"`
	Number []int32    `xml:"urn:d number,omitempty" soap:"nillable"`
	Sub    *user      `xml:"urn:d sub,omitempty" soap:"nillable"`
	Subs   []*user    `xml:"urn:d subs,omitempty" soap:"nillable"`
	Any    *xsd.Any   `xml:"urn:d any,omitempty" soap:"nillable"`
}

type auth struct {
	Login    *string `xml:"urn:r login,omitempty" soap:"nillable"`
	Password *string `xml:"urn:r password,omitempty" soap:"nillable"`
	Limit    int64   `xml:"urn:r limit" soap:"required"`
}

type create struct {
	XMLName xml.Name `xml:"urn:s create"`
	User    *user    `xml:"urn:s user,omitempty" soap:"nillable"`
	Auth    *auth    `xml:"urn:s auth,omitempty" soap:"nillable"`
	Must    *int64   `xml:"urn:s must,omitempty" soap:"nillable,required"`
}

type createResponse struct {
	XMLName xml.Name `xml:"urn:s createResponse"`
	Return_ *user    `xml:"urn:s return,omitempty" soap:"nillable"`
}

type change struct {
	XMLName xml.Name `xml:"urn:s change"`
	User    *user    `xml:"urn:s user,omitempty" soap:"nillable"`
}

type list struct {
	XMLName xml.Name `xml:"urn:s list"`
	Length  *int32   `xml:"urn:s length,omitempty"`
}

type listResponse struct {
	XMLName xml.Name `xml:"urn:s listResponse"`
	Return_ []*user  `xml:"urn:s return,omitempty" soap:"nillable"`
}

var (
	opCreate = &Operation{Service: "Test", Name: "create", Action: "urn:create",
		Request: xml.Name{Space: "urn:s", Local: "create"}, Response: xml.Name{Space: "urn:s", Local: "createResponse"},
		Faults:     []string{"NoSuchUserException"},
		NewRequest: func() any { return new(create) }, NewResponse: func() any { return new(createResponse) }}
	opChange = &Operation{Service: "Test", Name: "change", Action: "urn:change",
		Request: xml.Name{Space: "urn:s", Local: "change"}, NewRequest: func() any { return new(change) }}
	opList = &Operation{Service: "Test", Name: "list", Action: "urn:list",
		Request: xml.Name{Space: "urn:s", Local: "list"}, Response: xml.Name{Space: "urn:s", Local: "listResponse"},
		NewRequest: func() any { return new(list) }, NewResponse: func() any { return new(listResponse) }}
)
