"""The messages of gRPC's own services: health, reflection, and the status with details.

State   the classes made so far
Source  grpc.health.v1, grpc.reflection.v1 and v1alpha, google.rpc.Status, google.protobuf's descriptor.proto
Absent  of descriptors everything that no file of ours declares (extensions, options, source positions)

Both versions of reflection have the same messages, so the classes are one. Types are in the stub beside this
file, written by `python -m tools.protobuf_stubs`.
"""

from __future__ import annotations

from typing import Any

from cloudlet.wire.protobuf import Module

GRPC = """
file grpc/health/v1/health.proto grpc.health.v1
service Health
  Check HealthCheckRequest HealthCheckResponse
  Watch HealthCheckRequest stream HealthCheckResponse
message HealthCheckRequest
  1 service string
message HealthCheckResponse
  enum ServingStatus UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN
  1 status ServingStatus
file grpc/reflection/v1alpha/reflection.proto grpc.reflection.v1alpha
service ServerReflection
  ServerReflectionInfo stream ServerReflectionRequest stream ServerReflectionResponse
file grpc/reflection/v1/reflection.proto grpc.reflection.v1
service ServerReflection
  ServerReflectionInfo stream ServerReflectionRequest stream ServerReflectionResponse
message ServerReflectionRequest
  1 host string
  3 file_by_filename string in message_request
  4 file_containing_symbol string in message_request
  5 file_containing_extension ExtensionRequest in message_request
  6 all_extension_numbers_of_type string in message_request
  7 list_services string in message_request
message ExtensionRequest
  1 containing_type string
  2 extension_number int32
message ServerReflectionResponse
  1 valid_host string
  2 original_request ServerReflectionRequest
  4 file_descriptor_response FileDescriptorResponse in message_response
  5 all_extension_numbers_response ExtensionNumberResponse in message_response
  6 list_services_response ListServiceResponse in message_response
  7 error_response ErrorResponse in message_response
message FileDescriptorResponse
  1 file_descriptor_proto repeated bytes
message ExtensionNumberResponse
  1 base_type_name string
  2 extension_number repeated int32
message ListServiceResponse
  1 service repeated ServiceResponse
message ServiceResponse
  1 name string
message ErrorResponse
  1 error_code int32
  2 error_message string
file google/rpc/status.proto google.rpc
message Status
  1 code int32
  2 message string
file google/protobuf/descriptor.proto google.protobuf
message FileDescriptorProto
  1 name string
  2 package string
  3 dependency repeated string
  4 message_type repeated DescriptorProto
  5 enum_type repeated EnumDescriptorProto
  6 service repeated ServiceDescriptorProto
  12 syntax string
message DescriptorProto
  1 name string
  2 field repeated FieldDescriptorProto
  4 enum_type repeated EnumDescriptorProto
  8 oneof_decl repeated OneofDescriptorProto
message FieldDescriptorProto
  1 name string
  3 number int32
  4 label int32
  5 type int32
  6 type_name string
  9 oneof_index int32 in presence
  10 json_name string
message OneofDescriptorProto
  1 name string
message EnumDescriptorProto
  1 name string
  2 value repeated EnumValueDescriptorProto
message EnumValueDescriptorProto
  1 name string
  2 number int32 in presence
message ServiceDescriptorProto
  1 name string
  2 method repeated MethodDescriptorProto
message MethodDescriptorProto
  1 name string
  2 input_type string
  3 output_type string
  5 client_streaming bool
  6 server_streaming bool
"""

MODULE = Module(GRPC)
METHODS = MODULE.schema.methods


def __getattr__(name: str) -> Any:
    found = globals()[name] = MODULE.attribute(name)  # the next look finds it without asking
    return found
