export { type BuiltImage, buildImage, type ImageSource, type LayerEntry, pushImage } from '@berth/host/oci-image'
