package wsdl

//go:generate sh -c "xargs go run ../../../internal/wsdlfix <generate.args"
